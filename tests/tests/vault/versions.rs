//! Versions: every put makes one, old ones stay as long as asked, and can be had back.

use std::collections::HashMap;

use crate::common::*;

fn get_version<C: Tokens>(client: &C, version: u64) -> Result<Vec<u8>, C::Error> {
    client.value("a", &GetOptions { version: Some(version), ..defaults() })
}

through_every_client! {
    fn every_put_makes_a_version(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for (number, value) in [b"one".as_slice(), b"two", b"three!"].into_iter().enumerate() {
            assert_eq!(alice.put("a", value, &defaults()).unwrap(), number as u64 + 1);
        }
        let versions = alice.versions("a", &defaults()).unwrap();
        let mut seen: Vec<_> = versions.iter().map(|v| (v.version, v.size, v.current)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [(1, 3, false), (2, 3, false), (3, 6, true)]);
        assert_eq!(get_version(&alice, 2).unwrap(), b"two");
        assert_eq!(code(get_version(&alice, 4)), ErrorCode::NotFound);
    }

    fn only_as_many_versions_stay_as_asked(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        let keep = PutOptions { keep_versions: Some(3), ..defaults() };
        for number in 1..=5 {
            alice.put("a", format!("{number}").as_bytes(), &keep).unwrap();
        }
        let kept: Vec<_> = alice.versions("a", &defaults()).unwrap().iter().map(|v| v.version).collect();
        assert_eq!(kept.len(), 3);
        assert_eq!(code(get_version(&alice, 2)), ErrorCode::NotFound);
        assert_eq!(get_version(&alice, 3).unwrap(), b"3");
    }

    fn ten_versions_stay_when_nothing_is_said(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for number in 1..=12 {
            alice.put("a", format!("{number}").as_bytes(), &defaults()).unwrap();
        }
        assert_eq!(alice.versions("a", &defaults()).unwrap().len(), 10);
    }

    fn a_rollback_makes_a_new_version_with_the_old_value(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"good", &defaults()).unwrap();
        alice.put("a", b"bad", &defaults()).unwrap();
        assert_eq!(alice.rollback("a", 1, &defaults()).unwrap(), 3);
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"good");
        assert_eq!(get_version(&alice, 2).unwrap(), b"bad");
        assert_eq!(code(alice.rollback("a", 9, &defaults())), ErrorCode::NotFound);
    }

    fn deleting_one_version_leaves_the_others(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for value in [b"1", b"2", b"3"] {
            alice.put("a", value, &defaults()).unwrap();
        }
        alice.delete("a", &DeleteOptions { version: Some(3), ..defaults() }).unwrap();
        assert_eq!(alice.get("a", &defaults()).unwrap().data(), b"2", "the newest that is left is current");
        alice.delete("a", &DeleteOptions { version: Some(1), ..defaults() }).unwrap();
        assert_eq!(code(get_version(&alice, 1)), ErrorCode::NotFound);
        assert_eq!(alice.put("a", b"4", &defaults()).unwrap(), 4, "a number is never used twice");
    }
}

through_both_doors! {
    fn versions_count_from_one(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("a", b"1", &defaults()).unwrap();
        assert_eq!(code(get_version(&alice, 0)), ErrorCode::InvalidArgs);
    }
}

#[test]
fn all_versions_that_a_token_can_have_fit_into_a_reply() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for _ in 0..10 {
        alice.put("a", b"v", &PutOptions { ttl: Some(3_600_000_000), ..defaults() }).unwrap();
    }
    let none: HashMap<&str, zbus::Variant<'static>> = HashMap::new();
    let reply = vault.wire(ALICE, Door::Socket).call(TOKENS_INTERFACE, "Versions", &("a", &none)).unwrap();
    // Thousand are the most; what a row takes is what the domain says of it.
    assert!(reply.body().len() <= 10 * 128 + 8, "{} bytes", reply.body().len());
    const { assert!(tokenvault_proto::KEEP_VERSIONS_MAX * 128 < 256 * 1024) };
}
