//! Values that lie in the bus: what one user can take of the few places there are, and what waiting for one costs.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokenvault_proto::TOKENS_INTERFACE;
use tokenvault_tests::{ALICE, CAROL, DAEMON, Door, ROOT, RawPeer, Refusal, Vault, Wire};
use zbus::{OwnedVariant, Variant};

use crate::measure::{Bystander, Siege, alone, assert_memory};

type Options = HashMap<&'static str, Variant<'static>>;

/// The pipe of a `Get`.
fn get(wire: &Wire) -> Result<OwnedFd, Refusal> {
    let reply = wire.call(TOKENS_INTERFACE, "Get", &("t", Options::new()))?;
    let (reader, _info): (zbus::OwnedFd, HashMap<String, OwnedVariant>) = reply.body().deserialize().unwrap();
    Ok(reader.into())
}

/// Gets values without reading them until no more are given.
fn hoard(wire: &Wire) -> (Vec<OwnedFd>, Refusal) {
    let mut hoard = Vec::new();
    loop {
        match get(wire) {
            Ok(value) => hoard.push(value),
            Err(refusal) => return (hoard, refusal),
        }
        assert!(hoard.len() <= 64, "unread values are not limited");
    }
}

/// The bytes of a `Get`, with a new number.
fn get_call(peer: &RawPeer) -> Vec<u8> {
    peer.message(TOKENS_INTERFACE, "Get", &("t", Options::new()))
}

fn vault_with_a_value_of_alice() -> Vault {
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"alice's", &Default::default()).unwrap();
    vault
}

#[test]
fn waiting_for_a_place_on_the_bus_costs_no_processor_time() {
    const PEERS: usize = 4;
    const PENDING: usize = 64;
    const MEASURED: Duration = Duration::from_secs(3);
    let _alone = alone();
    let mut vault = vault_with_a_value_of_alice();
    let bob = Bystander::at(&vault, Door::Bus);
    let (hoarded, _) = hoard(&vault.wire(ALICE, Door::Bus));
    let (siege, (answered, answers)) = (Siege::of(PEERS), mpsc::channel());
    let attack = |answered: mpsc::Sender<()>| {
        let mut peer = RawPeer::open(&vault, ALICE, Door::Bus);
        // Each with a number of its own: the bus itself refuses one that is under way.
        let calls: Vec<u8> = (0..PENDING).flat_map(|_| get_call(&peer)).collect();
        peer.write(&calls).unwrap();
        siege.begin();
        while siege.goes_on() {
            peer.read_reply().expect("silence");
            let call = get_call(&peer);
            peer.write(&call).unwrap();
            answered.send(()).ok();
        }
    };
    let (used, time, count) = thread::scope(|scope| {
        for _ in 0..PEERS {
            let answered = answered.clone();
            scope.spawn(|| attack(answered));
        }
        siege.begin();
        let (before, begun, mut count) = (vault.daemon_processor_time(), Instant::now(), 0);
        while begun.elapsed() < MEASURED {
            answers.recv().unwrap();
            count += 1;
            if count % 32 == 0 {
                bob.is_served();
            }
        }
        let measured = (vault.daemon_processor_time() - before, begun.elapsed(), count);
        siege.end();
        measured
    });
    drop(hoarded);
    println!("{} Gets waiting: {count} answers in {time:?}, for {used:?} of processor time", PEERS * PENDING);
    assert!(used < time / 4, "waiting took {used:?} of processor time in {time:?}");
    assert_memory(&mut vault);
}

#[test]
fn users_who_read_nothing_leave_the_others_a_place_each() {
    let _alone = alone();
    let mut vault = vault_with_a_value_of_alice();
    let bob = Bystander::at(&vault, Door::Bus);
    // Those who read nothing, after them one who has nothing unread.
    let hoarders = [ALICE, CAROL, ROOT, DAEMON];
    for user in hoarders {
        vault.client(user, Door::Socket).put("t", b"v", &Default::default()).unwrap();
    }
    let wires = hoarders.map(|user| vault.wire(user, Door::Bus));
    let hoards = wires.each_ref().map(hoard);
    let counts = hoards.each_ref().map(|(hoard, _)| hoard.len());
    assert_eq!(counts, [8, 4, 3, 2]);
    for (_, refusal) in &hoards {
        assert_eq!(refusal.name, "org.tokenvault1.Error.LimitsExceeded");
        assert!(refusal.text.contains("limit 'bus-values'"), "{}", refusal.text);
    }
    // Also when the pipes were emptied, and for as long as it likes.
    let over = Instant::now() + Duration::from_secs(6);
    while Instant::now() < over {
        bob.is_served();
    }
    // The private socket has no such limit.
    vault.client(ALICE, Door::Socket).get("t", &Default::default()).unwrap();
    drop(hoards);
    for wire in &wires {
        get(wire).expect("who closes what it has is served again");
    }
    assert_memory(&mut vault);
}

#[test]
fn a_script_that_throws_values_away_is_served_on() {
    const VALUES: u32 = 60;
    let _alone = alone();
    let vault = vault_with_a_value_of_alice();
    let wire = vault.wire(ALICE, Door::Bus);
    let begun = Instant::now();
    for _ in 0..VALUES {
        drop(get(&wire).expect("a value that was thrown away keeps its place"));
    }
    println!("{VALUES} values thrown away in {:?}", begun.elapsed());
    // Long before they are withdrawn.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

/// Many callers of one user who read what they get: what waits is served, and nobody is refused.
#[test]
fn sixty_four_callers_of_one_user_who_read_are_all_served() {
    const CALLERS: usize = 64;
    const CALLS: usize = 20;
    let _alone = alone();
    let vault = vault_with_a_value_of_alice();
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let alice = vault.client(ALICE, Door::Bus);
                for _ in 0..CALLS {
                    assert_eq!(alice.get("t", &Default::default()).unwrap().data(), b"alice's");
                }
            });
        }
    });
    println!("{} Gets of {CALLERS} callers in {:?}", CALLERS * CALLS, begun.elapsed());
}
