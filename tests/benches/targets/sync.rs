//! No acknowledgement before its fsync: the daemon's system calls during writes of one caller, counted in their order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tokenvault_tests::process::Process;
use tokenvault_tests::{ALICE, wait};

use crate::Bench;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::site::WRITES;

/// Writes that are watched.
const PUTS: u64 = 300;

/// Counts them.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    bench.big.restart(&[WRITES]);
    let daemon = bench.big.vault.daemon().process().id();
    let file = bench.big.vault.path().join("calls.txt");
    let watch = watch(daemon, &file);
    // One caller, so that each acknowledgement is read before the next write begins.
    bench.big.put(ALICE, "sync/", PUTS).calls(PUTS).run();
    stop(watch);

    let calls = Calls::read(&file);
    let row = Row::new("Put acknowledged without an fsync of its own").ours(calls.unsynced as f64, "");
    let note = format!("{} syncs for {PUTS} Puts and {} acknowledgements", calls.syncs, calls.acknowledgements);
    report.row(row.bound(AtMost(0.0)).note(note));
    assert!(calls.acknowledgements >= PUTS, "strace saw {} of {PUTS} replies", calls.acknowledgements);
}

/// What the trace says.
#[derive(Default)]
struct Calls {
    syncs: u64,
    acknowledgements: u64,
    unsynced: u64,
}

impl Calls {
    /// Between any two replies there is the end of a sync.
    fn read(file: &PathBuf) -> Self {
        let (mut calls, mut synced) = (Self::default(), false);
        for line in fs::read_to_string(file).expect("a trace").lines() {
            if (line.contains("fdatasync") || line.contains("fsync")) && line.ends_with("= 0") {
                calls.syncs += 1;
                synced = true;
            } else if is_reply(line) {
                calls.acknowledgements += 1;
                calls.unsynced += u64::from(!synced);
                synced = false;
            }
        }
        calls
    }
}

/// Whether a line begins to send a method return: D-Bus, little-endian, type 2.
fn is_reply(line: &str) -> bool {
    line.contains("sendmsg(") && line.contains(r#""l\2"#)
}

fn watch(daemon: u32, file: &Path) -> Process {
    let child = Command::new("strace")
        .args(["-f", "-qq", "-s", "16", "-e", "trace=fdatasync,fsync,sendmsg", "-o"])
        .arg(file)
        .args(["-p", &daemon.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace (package strace)");
    let process = Process::adopt(child);
    wait::until("strace to hold every thread of the daemon", || is_traced(daemon).then_some(()));
    process
}

fn is_traced(process: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the daemon is gone");
    let traced = |status: String| status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
    tasks.flatten().all(|task| fs::read_to_string(task.path().join("status")).is_ok_and(traced))
}

fn stop(mut strace: Process) {
    strace.signal(Signal::SIGINT);
    strace.wait(wait::PATIENCE).expect("strace to let go");
}
