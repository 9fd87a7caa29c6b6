//! A thousand callers of one user at the private door, all at the same moment.

use tokenvault_tests::{ALICE, Door};

use crate::Bench;
use crate::report::Bound::{AtMost, None};
use crate::report::{Bound, Report, Row};
use crate::rounds::{Median, ROUNDS};
use crate::site::Raised;

const CALLERS: u32 = 1_000;
/// Calls of each: together less than the default limit of reads in a second.
const CALLS: u64 = 15;

/// Limits of one user that a thousand callers of it may reach at once.
const RAISED: [Raised; 3] = [("connections", 0), ("in-flight", 0), ("pipes", 0)];

/// Measures it with the limit of connections raised, which is judged, and with all that count callers.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    crowd(bench, report, &RAISED[..1], [AtMost(0.0), AtMost(100.0)]);
    crowd(bench, report, &RAISED, [None, None]);
}

fn crowd(bench: &mut Bench, report: &mut Report, raised: &[Raised], [of_errors, of_p99]: [Bound; 2]) {
    let (mut samples, mut errors) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        // Full buckets for every round.
        bench.big.restart(raised);
        let load = bench.big.get(ALICE, Door::Socket).callers(CALLERS).calls(CALLS);
        let sample = load.run_with_errors();
        errors += sample.errors;
        samples.push(sample);
    }
    let median = Median::of(&samples);
    let raised: Vec<&str> = raised.iter().map(|(limit, _)| *limit).collect();
    let note = format!("{} raised", raised.join(", "));
    report.measured(&format!("private: 1,000 callers of one user at once ({note})"), median);
    let row = |what: &str| Row::new(format!("1,000 concurrent callers of one user, private door: {what}")).note(&note);
    report.row(row("errors").ours(errors as f64, "").bound(of_errors));
    report.row(row("p99").ours(median.p99 / 1e3, "ms").bound(of_p99));
}
