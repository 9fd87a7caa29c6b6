//! Deleting what has expired, by whom and how it is told. What is deleted and what is not is the domain's own suite.

use tokenvault_proto::CleanupOptions;

use crate::common::*;
use crate::run::*;

fn trusted() -> CleanupOptions {
    CleanupOptions { clock_is_right: Some(true), ..defaults() }
}

/// A vault nine days after a token of Alice's with two versions and one of Bob's have expired.
fn nine_days_later() -> Vault {
    let mut vault = Vault::start();
    let for_a_second = PutOptions { ttl: Some(1_000_000), ..defaults() };
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("ends", b"1", &defaults()).unwrap();
    alice.put("ends", b"2", &for_a_second).unwrap();
    alice.put("stays", b"1", &defaults()).unwrap();
    vault.client(BOB, Door::Socket).put("ends", b"1", &for_a_second).unwrap();
    vault.stop_daemon();
    assert!(vault.start_daemon_off_by("+9d"), "tokenvaultd ended before it was ready");
    vault
}

through_both_doors! {
    fn root_has_deleted_what_expired_a_week_ago(door) {
        let vault = nine_days_later();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        assert_eq!(code(alice.get("ends", &defaults())), ErrorCode::NotFound);
        assert_eq!(alice.status().unwrap().tokens, 2);
        let held_back = root.cleanup(&defaults()).unwrap();
        assert_eq!((held_back.tokens, held_back.held_back), (0, 2), "nobody has said that the clock is right");
        let dry = root.cleanup(&CleanupOptions { dry_run: Some(true), ..trusted() }).unwrap();
        assert_eq!((dry.tokens, dry.versions, dry.dry_run), (2, 3, true));
        let of_alice = CleanupOptions { owner: Some("user:alice".into()), ..trusted() };
        let deleted = root.cleanup(&of_alice).unwrap();
        assert_eq!((deleted.tokens, deleted.versions, deleted.dry_run), (1, 2, false));
        assert_eq!(alice.status().unwrap().tokens, 1);
        assert_eq!(alice.get("stays", &defaults()).unwrap().data(), b"1");
        let said = ok(run(&vault, ROOT, door, &["tokenvaultctl", "cleanup", "--clock-is-right"]));
        assert!(said.contains("Tokens: 1 deleted"), "{said}");
        assert_eq!(root.cleanup(&trusted()).unwrap().tokens, 0);
    }

    fn a_cleanup_is_for_administrators_and_for_owners_that_exist(door) {
        let vault = Vault::start();
        assert_eq!(code(vault.client(ALICE, door).cleanup(&defaults())), ErrorCode::AccessDenied);
        let root = vault.client(ROOT, door);
        for owner in ["", "alice", "user:", "user:nobody-of-that-name"] {
            let refusal = refused(root.cleanup(&CleanupOptions { owner: Some(owner.into()), ..defaults() }));
            assert_eq!(refusal.code(), ErrorCode::InvalidArgs, "{owner}");
            assert!(refusal.to_string().contains("owner"), "{refusal}");
        }
        assert_eq!(root.cleanup(&CleanupOptions { owner: Some("uid:77".into()), ..defaults() }).unwrap().tokens, 0);
    }
}
