//! Lockdown: no value leaves the vault through any door, and everything else goes on.

use crate::common::*;
use crate::run::*;

#[track_caller]
fn assert_kept<T: std::fmt::Debug>(refused_value: Result<T, Error>) {
    let refusal = refused(refused_value);
    assert_eq!(refusal.code(), ErrorCode::Unavailable);
    assert!(refusal.to_string().contains("lockdown off"), "{refusal}");
    assert_helpful(&refusal);
}

through_both_doors! {
    fn no_value_leaves_and_everything_else_goes_on(door) {
        let mut vault = Vault::start();
        let (root, alice, bob) = (vault.client(ROOT, door), vault.client(ALICE, door), vault.client(BOB, door));
        let of_alice = || GetOptions { owner: Some(format!("uid:{}", ALICE.uid)), ..defaults() };
        alice.put("t", b"v", &defaults()).unwrap();
        alice.put("large", &[b'l'; 200_000], &defaults()).unwrap();
        let once = ShareOptions { uses: Some(1), ..defaults() };
        alice.share("t", &format!("uid:{}", BOB.uid), &once).unwrap();
        let (offer, _) = alice.offer("t", &defaults()).unwrap();
        let issued = alice.issue(&defaults()).unwrap();
        // It lies opened since.
        (0..3).for_each(|_| assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v"));
        root.lockdown(true).unwrap();
        for _ in 0..2 {
            let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
            assert_kept(alice.get("t", &defaults()));
            assert_kept(alice.get("t", &GetOptions { version: Some(1), ..defaults() }));
            assert_kept(alice.get("large", &defaults()));
            assert_kept(bob.get("t", &of_alice()));
            assert_kept(bob.redeem(&offer, &defaults()));
            // Who may not is told what he always is.
            assert_eq!(code(bob.get("large", &of_alice())), ErrorCode::NotFound);
            assert_eq!(code(alice.get("missing", &defaults())), ErrorCode::NotFound);
            assert!(alice.validate(&issued.token, &defaults()).unwrap().is_some());
            assert_eq!(alice.describe("t", &defaults()).unwrap().size, 1);
            assert_eq!(alice.list(&defaults()).unwrap().0.len(), 2);
            let status = alice.status().unwrap();
            assert!(status.reason.contains("lockdown") && status.next_step.contains("lockdown off"), "{status:?}");
            assert!(status.lockdown);
            vault.restart();
            vault.wait_for_state("serving");
        }
        let alice = vault.client(ALICE, door);
        alice.put("t", b"another", &defaults()).unwrap();
        alice.put("u", b"u", &defaults()).unwrap();
        alice.delete("u", &defaults()).unwrap();
        vault.client(ROOT, door).lockdown(false).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"another");
        // Nothing of it was used up.
        let bob_again = vault.client(BOB, door);
        assert_eq!(bob_again.get("t", &of_alice()).unwrap().data(), b"another");
        assert_eq!(bob_again.redeem(&offer, &defaults()).unwrap().data(), b"another");
        let status = alice.status().unwrap();
        assert!(!status.reason.contains("lockdown") && !status.lockdown, "{status:?}");
        drop((root, bob));
    }

    fn only_administrators_begin_and_end_it(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        alice.put("t", b"v", &defaults()).unwrap();
        assert_eq!(code(alice.lockdown(true)), ErrorCode::AccessDenied);
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
        root.lockdown(true).unwrap();
        root.lockdown(true).unwrap();
        assert_eq!(code(alice.lockdown(false)), ErrorCode::AccessDenied);
        assert_kept(alice.get("t", &defaults()));
        root.seal().unwrap();
        assert_eq!(code(root.lockdown(false)), ErrorCode::Sealed);
        root.unseal(&[], &defaults()).unwrap();
        assert_kept(alice.get("t", &defaults()));
        root.lockdown(false).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
    }
}

#[test]
fn the_command_begins_and_ends_it_and_says_so() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &defaults()).unwrap();
    let lockdown = |switch| run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "lockdown", switch]);
    let told = lockdown("on");
    assert!(told.status.success(), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("tokenvaultctl lockdown off"), "{told:?}");
    assert_kept(alice.get("t", &defaults()));
    assert!(lockdown("off").status.success());
    assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
    assert_eq!(lockdown("perhaps").status.code(), Some(2));
}
