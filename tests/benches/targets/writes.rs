//! Durable writes against what the disk gives, and reads beside them.

use tokenvault_tests::{ALICE, BOB, Door};

use crate::Bench;
use crate::disk;
use crate::pin::Pinned;
use crate::report::Bound::{AtLeast, AtMost};
use crate::report::{Report, Row};
use crate::rounds::{Median, ROUNDS, Scenario, compare};
use crate::site::{READS, WRITES};

const NOTE: &str = "writes-per-second, tokens, bytes raised";
/// Names that are written again and again.
const NAMES: u64 = 6_400;
const READERS: u32 = 4;
const WRITERS: u32 = 2;

/// Measures both.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    bench.big.restart(&[READS, WRITES, ("tokens", 0), ("bytes", 0)]);
    puts(bench, report);
    reads_beside_writers(bench, report);
}

fn puts(bench: &mut Bench, report: &mut Report) {
    let pinned = Pinned::new(bench.big.processes());
    let put = || bench.big.put(ALICE, "put/", NAMES);
    let commits = || disk::commits(bench.big.vault.path());
    let [commit, one] = compare(
        report,
        [
            Scenario::new("plain SQLite, WAL, FULL: one commit", commits().pinned()),
            Scenario::new("private: Put, 1 caller", put().pinned()),
        ],
    );
    drop(pinned);
    let row = Row::new("durable Put, one caller").ours(one.p50, "us").note(NOTE);
    report.row(row.over("one commit", commit.p50).bound(AtMost(4.0)));

    let [commit, many] = compare(
        report,
        [
            Scenario::new("plain SQLite, WAL, FULL: one commit, all processors", commits()),
            Scenario::new("private: Put, 64 callers", put().callers(64)),
        ],
    );
    let row = Row::new("durable Put, 64 callers").ours(many.rate, "/s").note(NOTE);
    report.row(row.over("single commits", commit.rate).bound(AtLeast(2.0)));
}

fn reads_beside_writers(bench: &Bench, report: &mut Report) {
    let reads = bench.big.get(ALICE, Door::Socket).callers(READERS);
    let (mut alone, mut beside, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(reads.run());
        let writers = bench.big.put(BOB, "put/", NAMES).callers(WRITERS).seconds(1.0).start();
        beside.push(reads.run());
        written.push(writers.finish());
    }
    let [alone, beside] = [alone, beside].map(|samples| Median::of(&samples));
    report.measured("private: Get, 4 callers, no writers", alone);
    report.measured("private: Get, 4 callers, beside 2 writers", beside);
    report.measured("private: Put, 2 callers, beside 4 readers", Median::of(&written));
    let row = Row::new("reads beside 2 steady writers").ours(beside.rate, "/s");
    let note = "reads-per-second, writes-per-second, tokens, bytes raised";
    report.row(row.over("reads alone", alone.rate).bound(AtLeast(0.5)).note(note));
}
