//! Claims, first calls and half-open handshakes, all at once and again and again.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenvault_proto::MANAGER_INTERFACE;
use tokenvault_tests::{ALICE, CAROL, Door, RawPeer, Vault, proof};
use zbus::Variant;

use crate::control::compute;
use crate::hostile::huge_header;
use crate::measure::{Bystander, Control, Siege, alone, assert_memory};

/// One for each kind.
const ATTACKERS: usize = 3;
/// Handshakes that one keeps open; those over the limit are turned away.
const HALF_OPEN: usize = 64;
const FIRST_CALLS: usize = 120;

/// Claims a message of 128 MiB, on a connection of its own.
fn claim(vault: &Vault) {
    let mut peer = RawPeer::open(vault, ALICE, Door::Socket);
    peer.write(&huge_header()).ok();
    assert!(peer.is_hung_up_on(), "a header that claims 128 MiB is not waited for");
}

/// Makes its first calls on the bus, all at once.
fn call_first(vault: &Vault) {
    let mut peer = RawPeer::open(vault, ALICE, Door::Bus);
    let options = HashMap::<&str, Variant<'_>>::new();
    let calls = (0..FIRST_CALLS).flat_map(|_| peer.message(MANAGER_INTERFACE, "WhoAmI", &options));
    let calls: Vec<u8> = calls.collect();
    peer.write(&calls).unwrap();
    (0..FIRST_CALLS).for_each(|number| drop(peer.read_reply().unwrap_or_else(|| panic!("call {number}"))));
}

/// Begins handshakes that it never finishes.
fn knock(vault: &Vault) {
    let streams: Vec<_> = (0..HALF_OPEN).filter_map(|_| RawPeer::connect(vault, CAROL, Door::Socket).ok()).collect();
    for mut stream in &streams {
        stream.write_all(b"\0AUTH EXTERNAL ").ok();
    }
}

#[test]
fn claims_first_calls_and_half_open_handshakes_at_once_do_not_slow_another() {
    let _alone = alone();
    let mut vault = Vault::start();
    let bob = Bystander::at(&vault, Door::Socket);
    let (next, done) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; ATTACKERS]);
    let attack = |siege: &Siege| {
        let kind = next.fetch_add(1, Ordering::Relaxed) % ATTACKERS;
        siege.begin();
        while siege.goes_on() {
            [claim, call_first, knock][kind](&vault);
            done[kind].fetch_add(1, Ordering::Relaxed);
        }
    };
    // The attackers compute as well.
    let elsewhere = |siege: &Siege| compute(siege, 1);
    let control = Control { attack: &elsewhere, ask: &|| bob.ask() };
    let endured = bob.endures("claims, first calls, half-open handshakes", ATTACKERS, &attack, Some(control));
    let [claims, calls, knocks] = done.map(AtomicUsize::into_inner);
    let (calls, knocks, memory) = (calls * FIRST_CALLS, knocks * HALF_OPEN, assert_memory(&mut vault));
    proof(
        "S9",
        &format!(
            "{claims} claims, {calls} first calls, {knocks} half-open handshakes at once: {endured}, {memory} MiB"
        ),
    );
}
