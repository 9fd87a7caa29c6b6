//! A token that is fetched again lies opened, and the call is answered where it is read. Nobody may notice but by the clock.

use std::collections::HashMap;

use tokenvault_tests::RawPeer;

use crate::common::*;

/// Short enough to wait for, long enough to be fetched twice beside many others.
const SHORT: u64 = 2_000_000;

fn no_options() -> HashMap<&'static str, zbus::Variant<'static>> {
    HashMap::new()
}

/// Fetches it, after which it lies opened.
fn fetch<C: Tokens>(client: &C, name: &str) {
    client.value(name, &defaults()).map(drop).unwrap();
}

through_every_client! {
    fn it_is_told_as_the_first_time(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let options = PutOptions {
            content_type: Some("application/json".into()),
            attributes: attributes(&[("env", "prod"), ("team", "père")]),
            ttl: Some(3_600_000_000),
            ..defaults()
        };
        alice.put("api/key", b"{}", &options).unwrap();
        let first = alice.get("api/key", &defaults()).unwrap();
        for _ in 0..3 {
            let again = alice.get("api/key", &defaults()).unwrap();
            assert_eq!((again.data(), again.info()), (first.data(), first.info()));
        }
        assert!(first.info().expires.is_some());
    }

    fn it_is_gone_when_it_expires(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"1", &PutOptions { ttl: Some(SHORT), ..defaults() }).unwrap();
        fetch(&alice, "t");
        fetch(&alice, "t");
        wait::until("the token to expire", || alice.info("t").err().map(|error| error.code()));
        assert_eq!(refused(alice.get("t", &defaults())), refused(alice.get("missing", &defaults())));
    }

    fn a_purpose_is_asked_for_each_time(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"1", &PutOptions { require_purpose: Some(true), ..defaults() }).unwrap();
        let asked = GetOptions { purpose: Some("nightly backup".into()), app: Some("cron".into()), ..defaults() };
        for _ in 0..2 {
            assert_eq!(alice.get("a", &asked).unwrap().data(), b"1");
            assert_eq!(code(alice.get("a", &defaults())), ErrorCode::AccessDenied);
        }
    }

    fn an_older_version_is_another_one(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"1", &defaults()).unwrap();
        alice.put("a", b"2", &defaults()).unwrap();
        fetch(&alice, "a");
        let older = alice.get("a", &GetOptions { version: Some(1), ..defaults() }).unwrap();
        assert_eq!((older.data(), older.info().version), (&b"1"[..], 1));
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"2");
    }

    fn it_is_nobody_elses(door) {
        let vault = Vault::start();
        let (root, alice, bob) = (door.client(&vault, ROOT), door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("a", b"hers", &defaults()).unwrap();
        root.put("a", b"the machine's", &PutOptions { owner: Some("machine".into()), ..defaults() }).unwrap();
        fetch(&alice, "a");
        fetch(&root, "a");
        let machine = GetOptions { owner: Some("machine".into()), ..defaults() };
        assert_eq!(code(alice.get("a", &machine)), ErrorCode::NotFound);
        assert_eq!(code(bob.get("a", &defaults())), ErrorCode::NotFound);
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"hers");
        assert_eq!(root.get("a", &defaults()).unwrap().data(), b"the machine's");
    }
}

through_both_doors! {
    fn each_time_is_written_down(door) {
        let mut vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("a", b"v", &defaults()).unwrap();
        fetch(&alice, "a");
        vault.stop_daemon();
        let before = audit_records(&vault);
        vault.start_daemon();
        vault.wait_for_state("serving");
        let alice = vault.client(ALICE, door);
        fetch(&alice, "a");
        for number in 0..5 {
            alice.get("a", &GetOptions { purpose: Some(format!("purpose {number}")), ..defaults() }).unwrap();
        }
        vault.stop_daemon();
        // And the opening of the vault.
        assert_eq!(audit_records(&vault) - before, 6 + 1);
    }

    fn behind_a_seal_it_is_refused(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("a", b"v", &defaults()).unwrap();
        fetch(&alice, "a");
        vault.client(ROOT, door).seal().unwrap();
        assert_eq!(code(alice.get("a", &defaults())), ErrorCode::Sealed);
    }

    fn calls_in_flight_are_counted(door) {
        let vault = Vault::builder().limit("in-flight", 8).start();
        let alice = vault.client(ALICE, door);
        alice.put("a", b"v", &defaults()).unwrap();
        fetch(&alice, "a");
        // Those that wait for their values take the places of all others.
        let (reader, _silent) = tokenvault_tests::pipe::open();
        let wire = vault.wire(ALICE, door);
        wait::until("the calls to be counted", || {
            wire.send(TOKENS_INTERFACE, "Put", &("b", zbus::Fd::from(&reader), &no_options()));
            let error = alice.get("a", &defaults()).err()?;
            assert!(error.to_string().contains("limit 'in-flight'"), "{error}");
            Some(())
        });
    }
}

#[test]
fn who_takes_no_descriptors_is_told_so_each_time() {
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("a", b"v", &defaults()).unwrap();
    let mut peer = RawPeer::open_without_descriptors(&vault, ALICE);
    let call = peer.message(TOKENS_INTERFACE, "Get", &("a", no_options()));
    for _ in 0..3 {
        peer.write(&call).unwrap();
        let reply = peer.read_reply().expect("an answer");
        assert!(reply.is_error("org.freedesktop.DBus.Error.NotSupported"));
    }
}
