//! A cleanup of much that has expired, and somebody who reads beside it.

use std::process::{Command, Stdio};

use tokenvault_tests::{ALICE, BOB, Door, ROOT};

use crate::Bench;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::{Median, ROUNDS};
use crate::site::{OWN_TOKENS, READS, Site, WRITES};

/// What has expired; with `FULL=1` the most that the target names.
const EXPIRED: u64 = 100_000;
const EXPIRED_FULL: u64 = 1_000_000;
const WRITERS: u32 = 50;
/// When the daemon believes to be: what has expired is kept for a week.
const LATER: &str = "+9d";

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    let expired = if bench.huge.is_some() { EXPIRED_FULL } else { EXPIRED };
    let mut site = Site::start(&bench.programs, OWN_TOKENS);
    site.restart(&[READS, WRITES, ("tokens", 0), ("bytes", 0)]);
    site.expire(BOB, "expired/", expired).callers(WRITERS).calls(expired / u64::from(WRITERS)).run();
    site.vault.stop_daemon();
    assert!(site.vault.start_daemon_off_by(LATER), "tokenvaultd ended before it was ready");

    let reads = site.get(ALICE, Door::Socket);
    let idle: Vec<_> = (0..ROUNDS).map(|_| reads.run()).collect();
    let mut cleanup = cleanup(&site).spawn().expect("starting tokenvaultctl");
    let mut beside = Vec::new();
    while cleanup.try_wait().expect("waiting for tokenvaultctl").is_none() {
        beside.push(reads.run());
    }
    assert!(cleanup.wait().expect("waiting for tokenvaultctl").success(), "the cleanup failed");
    // The last one ran beside no cleanup for a part of its time.
    beside.pop();
    assert!(!beside.is_empty(), "the cleanup was over before anything was read");

    let (idle, beside) = (Median::of(&idle), Median::of(&beside));
    report.measured("private: Get, 1 caller, idle", idle);
    report.measured("private: Get, 1 caller, beside a cleanup", beside);
    let row = Row::new(format!("p99 of Get beside a cleanup of {expired} expired tokens")).ours(beside.p99, "us");
    report.row(
        row.over("p99 idle", idle.p99)
            .bound(AtMost(2.0))
            .note("reads-per-second, writes-per-second, tokens, bytes raised"),
    );
}

fn cleanup(site: &Site) -> Command {
    let mut command = site.vault.command(ROOT, "tokenvaultctl", Door::Socket);
    command.args(["--quiet", "cleanup", "--clock-is-right"]).stdin(Stdio::null());
    command
}
