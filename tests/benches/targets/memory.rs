//! What the daemon holds on to when nothing happens.

use std::collections::HashMap;

use tokenvault_proto::MANAGER_INTERFACE;
use tokenvault_tests::{ALICE, Door, RawPeer};
use zbus::Variant;

use crate::Bench;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};

const CONNECTIONS: usize = 1_000;
/// Calls of one caller that touch about all of its tokens.
const CALLS: u64 = 5_000;

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    let site = &mut bench.big;
    site.restart(&[("connections", 0)]);
    let fresh = site.memory_mib("VmRSS");
    site.get(ALICE, Door::Socket).calls(CALLS).run();
    let row = Row::new("RSS idle, 100,000 tokens").ours(site.memory_mib("VmRSS"), "MiB");
    report.row(row.bound(AtMost(24.0)).note(format!("after {CALLS} reads; {fresh:.1} MiB just started")));

    let peers: Vec<RawPeer> = (0..CONNECTIONS)
        .map(|_| {
            let mut peer = RawPeer::open(&site.vault, ALICE, Door::Socket);
            let call = peer.message(MANAGER_INTERFACE, "WhoAmI", &HashMap::<&str, Variant<'_>>::new());
            peer.write(&call).expect("a call");
            assert!(peer.read_reply().is_some_and(|reply| reply.is_return()), "an idle peer was refused");
            peer
        })
        .collect();
    let row = Row::new("RSS with 1,000 idle connections").ours(site.memory_mib("VmRSS"), "MiB");
    report.row(row.bound(AtMost(80.0)).note("connections raised"));
    drop(peers);
}
