//! 1, 8 and 64 callers at a time, on all processors, at both doors.

use tokenvault_tests::{ALICE, Door};

use crate::Bench;
use crate::latency::{floor_call, name_of, sd_bus_get};
use crate::report::Bound::{AtLeast, None};
use crate::report::{Report, Row};
use crate::rounds::{Scenario, compare};
use crate::site::READS;

/// Callers at a time; the last is judged.
const CALLERS: [u32; 3] = [1, 8, 64];

/// Measures both doors.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    bench.big.restart(&[READS]);
    for (door, least) in [(Door::Socket, 0.6), (Door::Bus, 0.7)] {
        for callers in CALLERS {
            let loads = [
                ("pipe Ping", floor_call(bench, door, "pipe")),
                ("Get, sd-bus", sd_bus_get(bench, door)),
                ("Get, libtokenvault", bench.big.get(ALICE, door)),
            ];
            let of = |name: &str| format!("{}, {callers} callers: {name}", name_of(door));
            let scenarios = loads.map(|(name, load)| Scenario::new(of(name), load.callers(callers)));
            let [pipe, by_hand, library] = compare(report, scenarios);
            let bound = if callers == 64 { AtLeast(least) } else { None };
            let row = |client: &str, rate: f64| {
                let row = Row::new(format!("{callers} callers, {} door, {client}", name_of(door))).ours(rate, "/s");
                row.over("pipe Ping", pipe.rate)
            };
            report.row(row("libtokenvault", library.rate).bound(bound).note("reads-per-second raised"));
            report.row(row("sd-bus", by_hand.rate));
        }
    }
}
