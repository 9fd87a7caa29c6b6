//! A client that asks as fast as it can and reads no answer, for five seconds: the daemon's memory, and another caller.
//!
//! On the bus the other caller is also held against one beside the same flood of the bus itself, of which the vault hears
//! nothing: dbus-daemon has one thread, and when that has too much to do everyone waits for it, whoever is flooded.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, BOB, Door, RawPeer, Vault};
use zbus::Variant;

use crate::Bench;
use crate::latency::{RAISED, name_of};
use crate::load::Sample;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::{Median, median};
use crate::site::READS;

const ROUNDS: usize = 3;
/// How long a flood lasts; the other caller is measured in it.
const FLOOD: Duration = Duration::from_secs(5);
/// Calls written at a time.
const CALLS: usize = 50;

/// Measures it at both doors.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    for door in Door::ALL {
        measure_at(bench, report, door);
    }
}

fn measure_at(bench: &mut Bench, report: &mut Report, door: Door) {
    let site = &mut bench.big;
    let options = HashMap::<&str, Variant<'_>>::new();
    let get = RawPeer::message_at(door, TOKENS_INTERFACE, "Get", &("t/000007", options));
    let (mut alone, mut beside, mut control, mut growth) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // The caller alone asks more often than the limit lets it; the flood is not held up by it then either.
        site.restart(&[READS]);
        let caller = site.get(BOB, door);
        alone.push(caller.clone().seconds(1.0).run());
        let before = site.memory_mib("VmRSS");
        let meanwhile = || caller.clone().seconds(FLOOD.as_secs_f64() - 0.5).run_with_errors();
        beside.push(answered(during_flood(&site.vault, door, &get, meanwhile)));
        growth.push(site.memory_mib("VmHWM") - before);
        if door == Door::Bus {
            site.restart(&[READS]);
            control.push(answered(during_flood(&site.vault, door, &RawPeer::message_to_bus("GetId"), meanwhile)));
        }
    }
    let [alone, beside] = [alone, beside].map(|samples| Median::of(&samples));
    let door = name_of(door);
    report.measured(&format!("{door}: another caller's Get, alone"), alone);
    report.measured(&format!("{door}: another caller's Get, beside a flood"), beside);
    let what = format!("a client that never reads, 5 s, {door} door");
    report.row(Row::new(format!("{what}: RSS growth")).ours(median(growth), "MiB").note(RAISED).bound(AtMost(8.0)));
    let row = || Row::new(format!("{what}: another caller's p50")).ours(beside.p50, "us").note(RAISED);
    report.row(row().over("alone", alone.p50).bound(AtMost(4.0)));
    if !control.is_empty() {
        let control = Median::of(&control);
        report.measured(&format!("{door}: another caller's Get, beside a flood of the bus itself"), control);
        report.row(row().over("beside the same flood of the bus itself", control.p50).bound(AtMost(2.0)));
    }
}

/// One answer that takes seconds is one of many in a p50, but most of what a caller lives through: who spent more than half
/// of the time on answers slower than the p50 is given the mean.
fn answered(mut sample: Sample) -> Sample {
    let (period, calls) = (sample.seconds * 1e6, sample.calls as f64);
    if sample.errors > 0 || sample.p50 * calls < period / 2.0 {
        eprintln!("bench:        the other caller got {} answers, {} errors", sample.calls, sample.errors);
        let mean = period / calls.max(1.0);
        (sample.p50, sample.p99) = (mean, sample.p99.max(mean));
    }
    sample
}

/// Does something while another user floods. Whoever is not listened to any more comes back as a new client.
fn during_flood<T>(vault: &Vault, door: Door, call: &[u8], work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let begun = Instant::now();
            let mut peer = RawPeer::open(vault, ALICE, door);
            let calls = call.repeat(CALLS);
            while begun.elapsed() < FLOOD {
                if peer.flood(&calls, 1) == 0 {
                    peer = RawPeer::open(vault, ALICE, door);
                }
            }
        });
        let result = work();
        flood.join().expect("the flood");
        result
    })
}
