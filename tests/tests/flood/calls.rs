//! A user who makes more calls than anybody could answer.

use std::collections::HashMap;

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, Door, RawPeer, Vault, floor};
use zbus::Variant;

use crate::control::{FloorService, compute};
use crate::measure::{Bystander, Control, Siege, alone, assert_memory};

const PEER_INTERFACE: &str = "org.freedesktop.DBus.Peer";

type Options = HashMap<&'static str, Variant<'static>>;

#[test]
fn a_flood_of_calls_that_is_never_read_does_not_grow_the_daemon() {
    let _alone = alone();
    let mut vault = Vault::start();
    for door in Door::ALL {
        let bob = Bystander::at(&vault, door);
        let flood = |siege: &Siege, call: &dyn Fn(&RawPeer) -> Vec<u8>| {
            let mut peer = RawPeer::open(&vault, ALICE, door);
            let calls = call(&peer).repeat(50);
            peer.flood(&calls, 20);
            siege.begin();
            while siege.goes_on() {
                if peer.flood(&calls, 20) < 20 {
                    peer = RawPeer::open(&vault, ALICE, door);
                }
            }
        };
        let of_vault = |siege: &Siege| flood(siege, &|peer| peer.message(TOKENS_INTERFACE, "List", &Options::new()));
        let of_floor =
            |siege: &Siege| flood(siege, &|_| RawPeer::message_to_floor(floor::INTERFACE, "List", &Options::new()));
        let floor = (door == Door::Bus).then(|| FloorService::beside(&vault));
        let ask = || floor.iter().for_each(FloorService::ask);
        let control = floor.is_some().then_some(Control { attack: &of_floor, ask: &ask });
        bob.endures(&format!("calls never read, {door:?}"), 2, &of_vault, control);
    }
    assert_memory(&mut vault);
}

#[test]
fn a_flood_of_pings_does_not_slow_another() {
    let _alone = alone();
    let mut vault = Vault::start();
    for door in Door::ALL {
        let bob = Bystander::at(&vault, door);
        let flood = |siege: &Siege, ping: &dyn Fn(&RawPeer) -> Vec<u8>| {
            let peer = RawPeer::open(&vault, ALICE, door);
            let pings = ping(&peer).repeat(50);
            siege.begin();
            peer.flood_and_forget(&pings, || siege.goes_on());
        };
        let of_vault = |siege: &Siege| flood(siege, &|peer| peer.message(PEER_INTERFACE, "Ping", &()));
        let what = format!("pings, {door:?}");
        match door {
            Door::Bus => {
                let of_floor =
                    |siege: &Siege| flood(siege, &|_| RawPeer::message_to_floor(PEER_INTERFACE, "Ping", &()));
                let floor = FloorService::beside(&vault);
                bob.endures(&what, 2, &of_vault, Some(Control { attack: &of_floor, ask: &|| floor.ask() }));
            }
            Door::Socket => {
                // A flood has a thread that writes and one that reads.
                let elsewhere = |siege: &Siege| compute(siege, 2);
                bob.endures(&what, 2, &of_vault, Some(Control { attack: &elsewhere, ask: &|| bob.ask() }));
            }
        }
    }
    assert_memory(&mut vault);
}
