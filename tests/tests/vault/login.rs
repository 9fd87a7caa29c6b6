//! Class `login`: a token that is open while its user is logged in.

use std::os::fd::OwnedFd;

use tokenvault_tests::pipe;

use crate::common::*;

/// What a password gives. The vault takes any 32 bytes for that.
const KEY: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];
const WRONG: [u8; 32] = [9; 32];

fn login_class() -> PutOptions {
    PutOptions { class: Some("login".into()), ..defaults() }
}

/// A client of somebody who has a login key and a token under it, and the recovery code.
fn enrolled(vault: &Vault, user: User, door: Door) -> (Client, String) {
    let client = vault.client(user, door);
    let code = client.enrol_login(user.uid, &KEY).unwrap();
    client.put("t", b"value", &login_class()).unwrap();
    (client, code.to_string())
}

/// Somebody's being logged in, until the second is dropped.
fn lease(root: &Client, user: User) -> OwnedFd {
    let (read, write) = pipe::open();
    root.lease_login(user.uid, read).unwrap();
    write
}

fn is_locked(client: &Client) -> bool {
    match client.get("t", &defaults()) {
        Ok(value) => {
            assert_eq!(value.data(), b"value");
            false
        }
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::Locked, "{error}");
            true
        }
    }
}

through_both_doors! {
    fn a_login_class_token_is_open_while_its_owner_has_unlocked(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let refusal = refused(alice.put("t", b"value", &login_class()));
        assert_eq!(refusal.code(), ErrorCode::Locked);
        assert!(refusal.to_string().contains("tokenvault unlock"), "{refusal}");
        assert_eq!(code(alice.describe("t", &defaults())), ErrorCode::NotFound);
        let state = alice.login_state(ALICE.uid).unwrap();
        assert!(!state.enrolled && !state.unlocked && !state.stale && state.salt.len() >= 16, "{state:?}");
        assert_eq!(state.params, "$argon2id$v=19$m=65536,t=3,p=1");

        let (alice, _code) = enrolled(&vault, ALICE, door);
        alice.put("machine", b"m", &defaults()).unwrap();
        assert!(alice.who_am_i().unwrap().login_unlocked && !is_locked(&alice));
        let unlocked = alice.login_state(ALICE.uid).unwrap();
        assert_eq!((unlocked.enrolled, unlocked.unlocked, &unlocked.salt), (true, true, &state.salt));
        // Read often: what lies opened goes as well.
        assert!((0..10).all(|_| !is_locked(&alice)));
        alice.lock_login(ALICE.uid).unwrap();
        assert!(is_locked(&alice) && !alice.who_am_i().unwrap().login_unlocked);
        assert_eq!(alice.get("machine", &defaults()).unwrap().data(), b"m");
        // What is known of it is no secret of the login.
        assert_eq!(alice.describe("t", &defaults()).unwrap().class, "login");
        let (tokens, _) = alice.list(&defaults()).unwrap();
        assert_eq!(names(&tokens).len(), 2);
        alice.unlock_login(ALICE.uid, &KEY).unwrap();
        assert!(!is_locked(&alice));
    }

    fn what_would_need_the_login_key_waits_for_it(door) {
        let vault = Vault::start();
        let (alice, _code) = enrolled(&vault, ALICE, door);
        alice.put("t", b"second", &login_class()).unwrap();
        alice.lock_login(ALICE.uid).unwrap();
        assert_eq!(code(alice.put("t", b"third", &defaults())), ErrorCode::Locked, "it stays in its class");
        assert_eq!(code(alice.put("u", b"v", &login_class())), ErrorCode::Locked);
        assert_eq!(code(alice.rollback("t", 1, &defaults())), ErrorCode::Locked);
        assert_eq!(code(alice.rename("t", "u", &defaults())), ErrorCode::Locked);
        alice.unlock_login(ALICE.uid, &KEY).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"second");
        alice.rename("t", "u", &defaults()).unwrap();
        assert_eq!(alice.get("u", &defaults()).unwrap().data(), b"second");
        assert_eq!(alice.get("u", &GetOptions { version: Some(1), ..defaults() }).unwrap().data(), b"value");
    }

    fn nobody_but_the_user_and_root_comes_near_a_login(door) {
        let vault = Vault::start();
        let (alice, code_of_alice) = enrolled(&vault, ALICE, door);
        let (bob, root) = (vault.client(BOB, door), vault.client(ROOT, door));
        let denied = [
            bob.login_state(ALICE.uid).err(),
            bob.unlock_login(ALICE.uid, &KEY).err(),
            bob.lock_login(ALICE.uid).err(),
            bob.set_login_key(ALICE.uid, &KEY, &OTHER).err(),
            bob.recover_login(ALICE.uid, code_of_alice.as_bytes(), &OTHER).err(),
            bob.enrol_login(ALICE.uid, &KEY).err(),
            bob.lease_login(ALICE.uid, pipe::open().0).err(),
            // Somebody who is not there is answered alike.
            bob.login_state(NAMELESS.uid).err(),
        ];
        for error in denied {
            let error = error.expect("refused");
            assert_eq!(error.code(), ErrorCode::AccessDenied, "{error}");
        }
        assert!(!is_locked(&alice));
        root.lock_login(ALICE.uid).unwrap();
        assert!(is_locked(&alice));
        root.unlock_login(ALICE.uid, &KEY).unwrap();
        assert!(!is_locked(&alice));
        assert_eq!(code(root.get("t", &GetOptions { owner: Some("user:alice".into()), ..defaults() })), ErrorCode::NotFound);
        root.enrol_login(BOB.uid, &OTHER).unwrap();
        bob.lock_login(BOB.uid).unwrap();
        bob.unlock_login(BOB.uid, &OTHER).unwrap();
    }

    fn wrong_keys_are_refused_and_soon_not_even_tried(door) {
        let vault = Vault::start();
        let (alice, _code) = enrolled(&vault, ALICE, door);
        let (bob, _code) = enrolled(&vault, BOB, door);
        alice.lock_login(ALICE.uid).unwrap();
        for _ in 0..5 {
            assert_eq!(code(alice.unlock_login(ALICE.uid, &WRONG)), ErrorCode::AccessDenied);
        }
        for _ in 0..3 {
            let refusal = refused(alice.unlock_login(ALICE.uid, &KEY));
            assert_eq!(refusal.code(), ErrorCode::LimitsExceeded);
            assert!(refusal.to_string().contains("unlock-attempts") && refusal.to_string().contains("retry in"));
        }
        bob.lock_login(BOB.uid).unwrap();
        bob.unlock_login(BOB.uid, &KEY).unwrap();
        for wrong in [&[1; 31][..], &[1; 33], b""] {
            assert_eq!(code(bob.unlock_login(BOB.uid, wrong)), ErrorCode::InvalidArgs);
        }
        assert_eq!(code(bob.unlock_login(CAROL.uid, &KEY)), ErrorCode::AccessDenied);
        let carol = vault.client(CAROL, door);
        assert_eq!(code(carol.unlock_login(CAROL.uid, &KEY)), ErrorCode::InvalidArgs);
        assert_eq!(code(bob.enrol_login(BOB.uid, &KEY)), ErrorCode::InvalidArgs, "there is a key already");
    }

    fn a_changed_password_opens_and_the_one_before_until_then(door) {
        let vault = Vault::start();
        let (alice, _code) = enrolled(&vault, ALICE, door);
        assert_eq!(code(alice.set_login_key(ALICE.uid, &WRONG, &OTHER)), ErrorCode::AccessDenied);
        alice.set_login_key(ALICE.uid, &KEY, &OTHER).unwrap();
        let opens = |key: &[u8]| {
            alice.lock_login(ALICE.uid).unwrap();
            alice.unlock_login(ALICE.uid, key).map(|()| assert!(!is_locked(&alice))).is_ok()
        };
        // The change of the password may still have failed elsewhere.
        assert!(opens(&KEY) && opens(&KEY));
        assert!(opens(&OTHER));
        assert!(!opens(&KEY) && opens(&OTHER));
    }

    fn a_password_changed_behind_the_vault_is_stale_until_the_user_shows_the_old_one(door) {
        let vault = Vault::start();
        let (alice, _code) = enrolled(&vault, ALICE, door);
        let root = vault.client(ROOT, door);
        alice.lock_login(ALICE.uid).unwrap();
        // Who is logged in with a password has the right one, however often; the user keeps the tries.
        for _ in 0..10 {
            assert_eq!(code(root.unlock_login(ALICE.uid, &OTHER)), ErrorCode::AccessDenied);
            assert_eq!(code(root.set_login_key(ALICE.uid, &OTHER, &WRONG)), ErrorCode::AccessDenied);
        }
        assert!(alice.login_state(ALICE.uid).unwrap().stale);
        alice.set_login_key(ALICE.uid, &KEY, &OTHER).unwrap();
        let state = alice.login_state(ALICE.uid).unwrap();
        assert!(!state.stale && state.unlocked, "{state:?}");
        alice.lock_login(ALICE.uid).unwrap();
        root.unlock_login(ALICE.uid, &OTHER).unwrap();
        assert!(!is_locked(&alice));
    }

    fn the_recovery_code_opens_a_login_whose_password_nobody_knows(door) {
        let vault = Vault::start();
        let (alice, recovery) = enrolled(&vault, ALICE, door);
        let (_bob, of_bob) = enrolled(&vault, BOB, door);
        alice.lock_login(ALICE.uid).unwrap();
        assert_eq!(code(alice.recover_login(ALICE.uid, of_bob.as_bytes(), &OTHER)), ErrorCode::AccessDenied);
        let mut mistyped = recovery.clone().into_bytes();
        mistyped[12] = if mistyped[12] == b'c' { b'b' } else { b'c' };
        let refusal = refused(alice.recover_login(ALICE.uid, &mistyped, &OTHER));
        assert_eq!(refusal.code(), ErrorCode::InvalidArgs);
        assert!(refusal.to_string().contains("group 2"), "{refusal}");
        let typed = recovery.to_uppercase().replace('-', " ");
        alice.recover_login(ALICE.uid, typed.as_bytes(), &OTHER).unwrap();
        assert!(!is_locked(&alice));
        alice.lock_login(ALICE.uid).unwrap();
        assert_eq!(code(alice.unlock_login(ALICE.uid, &KEY)), ErrorCode::AccessDenied);
        alice.unlock_login(ALICE.uid, &OTHER).unwrap();
    }

    fn a_login_is_locked_when_its_last_lease_has_ended(door) {
        let vault = Vault::start();
        let (alice, _code) = enrolled(&vault, ALICE, door);
        let (bob, _code) = enrolled(&vault, BOB, door);
        let root = vault.client(ROOT, door);
        let (first, second) = (lease(&root, ALICE), lease(&root, ALICE));
        drop(first);
        let third = lease(&root, ALICE);
        drop(second);
        assert!((0..50).all(|_| !is_locked(&alice)));
        drop(third);
        wait::until("the login to be locked", || is_locked(&alice).then_some(()));
        assert!(!is_locked(&bob), "nobody else's");
        assert_eq!(code(root.lease_login(ALICE.uid, std::fs::File::open("/dev/null").unwrap())), ErrorCode::InvalidArgs);
        let (_read, write) = pipe::open();
        assert_eq!(code(root.lease_login(ALICE.uid, write)), ErrorCode::InvalidArgs);
    }
}

#[test]
fn one_uid_has_so_many_leases() {
    let vault = Vault::builder().limit("writes-per-second", 0).start();
    let root = vault.client(ROOT, Door::Socket);
    let mut leases: Vec<OwnedFd> = (0..256).map(|_| lease(&root, ALICE)).collect();
    let refusal = refused(root.lease_login(ALICE.uid, pipe::open().0));
    assert!(refusal.to_string().contains("limit 'leases'"), "{refusal}");
    lease(&root, BOB);
    leases.pop();
    wait::until("a lease to end", || root.lease_login(ALICE.uid, pipe::open().0).ok());
}

#[test]
fn logged_in_users_stay_unlocked_over_a_restart_and_those_who_left_do_not() {
    let mut vault = Vault::start();
    for user in [ALICE, BOB, CAROL] {
        enrolled(&vault, user, Door::Socket);
    }
    let root = vault.client(ROOT, Door::Socket);
    root.lock_login(CAROL.uid).unwrap();
    let (of_alice, of_bob) = (lease(&root, ALICE), lease(&root, BOB));
    for _ in 0..2 {
        vault.restart_by_manager();
        vault.wait_for_state("serving");
        let locked = [ALICE, BOB, CAROL].map(|user| is_locked(&vault.client(user, Door::Socket)));
        assert_eq!(locked, [false, false, true]);
    }
    // Who logs out while nobody looks is seen to have gone.
    drop(of_bob);
    let bob = vault.client(BOB, Door::Socket);
    wait::until("the login to be locked", || is_locked(&bob).then_some(()));
    drop(of_alice);
    let alice = vault.client(ALICE, Door::Socket);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
}

#[test]
fn a_restart_without_a_service_manager_and_a_sealed_vault_lock_everybody() {
    let mut vault = Vault::start();
    enrolled(&vault, ALICE, Door::Socket);
    vault.restart();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    assert!(is_locked(&alice));
    alice.unlock_login(ALICE.uid, &KEY).unwrap();
    let root = vault.client(ROOT, Door::Socket);
    root.seal().unwrap();
    assert_eq!(code(alice.get("t", &defaults())), ErrorCode::Sealed);
    assert_eq!(code(alice.unlock_login(ALICE.uid, &KEY)), ErrorCode::Sealed);
    root.unseal(&[], &defaults()).unwrap();
    assert!(is_locked(&alice));
    // And what was parked is of no use either.
    vault.restart_by_manager();
    vault.wait_for_state("serving");
    assert!(is_locked(&vault.client(ALICE, Door::Socket)));
}

#[test]
fn a_login_stays_locked_on_a_machine_that_opens_the_vault() {
    let mut vault = Vault::start();
    enrolled(&vault, ALICE, Door::Socket);
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    assert!(is_locked(&alice), "the key is nowhere but under the password");
    assert_eq!(code(alice.unlock_login(ALICE.uid, &WRONG)), ErrorCode::AccessDenied);
    alice.unlock_login(ALICE.uid, &KEY).unwrap();
    assert!(!is_locked(&alice));
}
