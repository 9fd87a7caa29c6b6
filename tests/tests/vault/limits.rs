//! Limits: over one, the caller is told at once which; everyone else goes on.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Instant;

use tokenvault_tests::RawPeer;

use crate::common::*;

#[track_caller]
fn assert_limit<T, E: Coded + Display>(result: Result<T, E>, limit: &str) {
    let error = refused(result);
    assert_eq!(error.code(), ErrorCode::LimitsExceeded, "{error}");
    assert!(error.to_string().contains(limit), "the limit is named: {error}");
}

/// Calls until it is refused for a limit; how often it worked.
fn until_refused<T, E>(limit: &str, most: usize, mut call: impl FnMut(usize) -> Result<T, E>) -> usize
where
    E: Coded + Display,
{
    for number in 0..most {
        match call(number) {
            Err(error) if error.code() == ErrorCode::LimitsExceeded => {
                assert!(error.to_string().contains(limit), "{error}");
                return number;
            }
            _ => {}
        }
    }
    panic!("'{limit}' was not reached by {most} calls");
}

through_every_client! {
    fn a_user_can_keep_so_many_tokens(door) {
        let vault = Vault::builder().limit("tokens", 3).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        for name in ["a", "b", "c"] {
            alice.put(name, b"v", &defaults()).unwrap();
        }
        assert_limit(alice.put("d", b"v", &defaults()), "tokens");
        assert_limit(alice.generate("d", &defaults()), "tokens");
        alice.put("a", b"another version", &defaults()).unwrap();
        bob.put("d", b"v", &defaults()).unwrap();
        alice.delete("b", &defaults()).unwrap();
        alice.put("d", b"v", &defaults()).unwrap();
    }

    fn a_user_can_keep_so_many_bytes(door) {
        let vault = Vault::builder().limit("bytes", 100_000).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("a", &[1; 40_000], &defaults()).unwrap();
        let big = alice.put("b", &[1; 65_000], &defaults());
        assert_limit(big, "bytes");
        assert_eq!(code(alice.get("b", &defaults())), ErrorCode::NotFound);
        bob.put("b", &[1; 65_000], &defaults()).unwrap();
        alice.delete("a", &defaults()).unwrap();
        alice.put("b", &[1; 65_000], &defaults()).unwrap();
    }

    fn writes_have_a_rate_and_a_burst(door) {
        let vault = Vault::builder().limit("writes-per-second", 2).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        let done = until_refused("writes-per-second", 500, |n| alice.put("t", format!("{n}").as_bytes(), &defaults()));
        assert!((20..60).contains(&done), "a burst of ten times the rate, not {done}");
        bob.put("t", b"v", &defaults()).unwrap();
        alice.get("t", &defaults()).expect("reads go on");
        wait::until("the bucket to fill", || alice.put("t", b"v", &defaults()).ok());
    }

    fn reads_have_a_rate(door) {
        let vault = Vault::builder().limit("reads-per-second", 20).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"v", &defaults()).unwrap();
        bob.put("t", b"v", &defaults()).unwrap();
        until_refused("reads-per-second", 2_000, |_| alice.get("t", &defaults()));
        bob.get("t", &defaults()).unwrap();
        wait::until("the bucket to fill", || alice.get("t", &defaults()).ok());
    }

    fn guessing_names_has_a_rate(door) {
        let vault = Vault::builder().limit("misses-per-second", 2).start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"v", &defaults()).unwrap();
        let done = until_refused("misses-per-second", 500, |n| alice.get(&format!("guess/{n}"), &defaults()));
        assert!((10..40).contains(&done), "a burst of five times the rate, not {done}");
        assert_eq!(code(bob.get("guess", &defaults())), ErrorCode::NotFound);
    }

    fn a_limit_of_zero_is_none(door) {
        let vault = Vault::builder().limit("misses-per-second", 0).limit("tokens", 0).limit("bytes", 0).start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"v", &defaults()).unwrap();
        for number in 0..300 {
            assert_eq!(code(alice.get(&format!("guess/{number}"), &defaults())), ErrorCode::NotFound);
        }
        let status = alice.status().unwrap();
        assert_eq!((status.quota_tokens, status.quota_bytes), (0, 0));
    }
}

through_both_doors! {
    fn what_is_called_in_vain_is_paid_for(door) {
        let vault = Vault::builder().limit("reads-per-second", 5).start();
        let (alice, bob) = (vault.wire(ALICE, door), vault.wire(BOB, door));
        let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
        let names: Vec<String> =
            (0..20).map(|_| alice.call(TOKENS_INTERFACE, "Steal", &("t", &none)).unwrap_err().name).collect();
        assert_eq!(names[0], "org.freedesktop.DBus.Error.UnknownMethod");
        let refused = names.iter().filter(|name| *name == "org.tokenvault1.Error.LimitsExceeded").count();
        assert!(refused > 0, "a method that does not exist has no rate: {names:?}");
        // Who is answered before he was asked for anything is not refused for it, but other calls of his are.
        for _ in 0..20 {
            bob.call(TOKENS_INTERFACE, "Get", &()).expect_err("arguments of no method");
        }
        let known = (0..5).filter(|_| bob.call(MANAGER_INTERFACE, "WhoAmI", &none).is_ok()).count();
        assert!(known < 5, "calls with arguments of no method cost nothing");
    }

    fn a_thousand_pings_are_answered_without_a_limit_in_the_way(door) {
        let vault = Vault::start();
        let (wire, begun) = (vault.wire(ALICE, door), Instant::now());
        for _ in 0..1_000 {
            wire.call("org.freedesktop.DBus.Peer", "Ping", &()).expect("a ping is refused");
            assert!(begun.elapsed() < wait::PATIENCE, "a ping waits");
        }
    }

    fn answers_nobody_reads_are_counted(door) {
        // Fewer than a user may have on the bus.
        let vault = Vault::builder().limit("pipes", 4).start();
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        let wire = vault.wire(ALICE, door);
        let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
        let mut kept = Vec::new();
        let refusal = loop {
            match wire.call(TOKENS_INTERFACE, "Get", &("t", &none)) {
                Ok(reply) => kept.push(reply),
                Err(refusal) => break refusal,
            }
            assert!(kept.len() < 100, "pipes are not limited");
        };
        assert_eq!(refusal.name, "org.tokenvault1.Error.LimitsExceeded");
        assert!(refusal.text.contains("limit 'pipes'"), "{}", refusal.text);
        vault.client(BOB, door).generate("t", &defaults()).expect("others are served");
        drop(kept);
        wait::until("pipes to be given back", || wire.call(TOKENS_INTERFACE, "Get", &("t", &none)).ok());
    }

    fn who_asks_before_the_answers_of_others_were_read_waits_for_that(door) {
        // More callers of one user than it may have answers unread, each reading its own in its own time.
        let vault = Vault::builder().limit("pipes", 2).start();
        let alice = vault.client(ALICE, door);
        alice.put("warm", b"v", &defaults()).unwrap();
        alice.get("warm", &defaults()).unwrap();
        for number in 0..16 {
            alice.put(&format!("t/{number}"), b"v", &defaults()).unwrap();
        }
        std::thread::scope(|scope| {
            for number in 0..16 {
                let vault = &vault;
                scope.spawn(move || {
                    let caller = vault.wire(ALICE, door);
                    for name in ["warm", &format!("t/{number}")].into_iter().cycle().take(20) {
                        let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
                        let reply = caller.call(TOKENS_INTERFACE, "Get", &(name, &none)).expect("refused");
                        let body = reply.body();
                        let (reader, _): (zbus::OwnedFd, HashMap<String, zbus::OwnedVariant>) =
                            body.deserialize().unwrap();
                        assert_eq!(tokenvault_tests::pipe::read_all(reader.into()), b"v");
                    }
                });
            }
        });
    }

    fn an_answer_nobody_reads_is_withdrawn(door) {
        let vault = Vault::builder().limit("pipe-seconds", 1).start();
        let alice = vault.client(ALICE, door);
        alice.put("t", &[b'v'; 1000], &defaults()).unwrap();
        let wire = vault.wire(ALICE, door);
        let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
        let reply = wire.call(TOKENS_INTERFACE, "Get", &("t", &none)).unwrap();
        let body = reply.body();
        let (reader, _info): (zbus::OwnedFd, HashMap<String, zbus::OwnedVariant>) = body.deserialize().unwrap();
        let reader = std::os::fd::OwnedFd::from(reader);
        wait::until("the pipe to be emptied", || (waiting_bytes(&reader) == 0).then_some(()));
        assert_eq!(tokenvault_tests::pipe::read_all(reader), b"", "a value that was withdrawn is not given");
    }
}

/// How many bytes a pipe holds, without taking them.
fn waiting_bytes(reader: &std::os::fd::OwnedFd) -> usize {
    use nix::fcntl::{SpliceFFlags, tee};
    let (_copy, into) = tokenvault_tests::pipe::open();
    tee(reader, &into, 1, SpliceFFlags::SPLICE_F_NONBLOCK).unwrap_or(0)
}

#[test]
fn one_uid_has_so_many_connections() {
    let vault = Vault::builder().limit("connections", 4).start();
    let bob = vault.client(BOB, Door::Socket);
    let kept: Vec<RawPeer> = (0..4).map(|_| RawPeer::open(&vault, ALICE, Door::Socket)).collect();
    let address = vault.address(Door::Socket);
    assert!(ALICE.run(|| Client::open(Some(&address)).and_then(|client| client.status())).is_err());
    bob.status().expect("others come in");
    drop(kept);
    wait::until("connections to be given back", || {
        ALICE.run(|| Client::open(Some(&address)).and_then(|client| client.status())).ok()
    });
}

#[test]
fn pings_are_paid_for_as_reads_at_the_private_socket() {
    let vault = Vault::builder().limit("reads-per-second", 20).start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &defaults()).unwrap();
    let wire = vault.wire(ALICE, Door::Socket);
    // More than the burst: the last ones waited.
    for _ in 0..30 {
        wire.call("org.freedesktop.DBus.Peer", "Ping", &()).expect("a ping is refused");
    }
    // Fewer than the burst.
    let refused = (0..10).find_map(|_| alice.get("t", &defaults()).err()).expect("pings cost nothing");
    assert!(refused.to_string().contains("limit 'reads-per-second'"), "{refused}");
}
