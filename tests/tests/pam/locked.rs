//! Logins at a real vault that open nothing: without the password, with that of somebody else, with one the vault has not got.

use tokenvault_client::ErrorCode;
use tokenvault_tests::{ALICE, BOB, Door, wait};

use crate::class::{LOGIN, can_read, key, logged_in, opened_by_login, state, until_locked, vault_and_site};
use crate::kit::{AUTH_ERR, Call, Under, check};

#[test]
fn a_login_without_a_password_leaves_it_locked_until_the_user_unlocks_it() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let site = site.without_password();
    let guest = logged_in(&site, "alice", None);
    assert!(!can_read(&vault, ALICE));
    let client = vault.client(ALICE, Door::Socket);
    client.unlock_login(ALICE.uid, key(&state(&vault, ALICE), "horse").as_slice()).unwrap();
    assert!(can_read(&vault, ALICE));
    guest.end();
    until_locked(&vault, ALICE);
}

#[test]
fn a_password_that_root_sets_leaves_it_locked_and_stale_until_the_old_one_is_told_once() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    check(&site.run(Under::Plain, "alice", &["answer:stable", "look", "chauthtok", "same", "end"]), &["chauthtok"]);
    // One that had no time to try it has not found it so.
    let guest = wait::until("a login that finds it stale", || {
        let guest = logged_in(&site, "alice", Some("stable"));
        state(&vault, ALICE).stale.then_some(guest)
    });
    assert!(!can_read(&vault, ALICE));

    let client = vault.client(ALICE, Door::Socket);
    let (old, new) = (key(&state(&vault, ALICE), "horse"), key(&state(&vault, ALICE), "stable"));
    client.set_login_key(ALICE.uid, old.as_slice(), new.as_slice()).unwrap();
    guest.end();
    until_locked(&vault, ALICE);
    let guest = opened_by_login(&vault, &site, ALICE, "stable");
    guest.end();
}

#[test]
fn the_password_of_one_user_opens_nothing_in_the_session_of_another() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], Door::Socket);
    let actions = ["answer:horse", "authenticate", "user:bob", "open_session", "meet", "close_session", "end"];
    let mut guest = site.start("alice", &actions);
    check(&guest.meet(), &LOGIN);
    assert!(!can_read(&vault, ALICE) && !can_read(&vault, BOB));
    assert!(!state(&vault, BOB).stale, "it was not even tried");
    guest.end();
}

#[test]
fn a_refused_login_opens_nothing() {
    let (vault, site) = vault_and_site(&[(ALICE, "stable")], Door::Socket);
    let calls: Vec<Call> = site.run(Under::Plain, "alice", &["answer:stable", "authenticate", "end"]);
    assert_eq!(calls[0].status, AUTH_ERR);
    assert!(!can_read(&vault, ALICE));
}

#[test]
fn who_has_no_login_class_logs_in_all_the_same() {
    let (vault, site) = vault_and_site(&[], Door::Socket);
    logged_in(&site, "alice", Some("horse")).end();
    assert!(!state(&vault, ALICE).enrolled);
}

#[test]
fn too_many_wrong_passwords_keep_nobody_from_logging_in() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let alice = vault.client(ALICE, Door::Socket);
    for _ in 0..5 {
        let wrong = alice.unlock_login(ALICE.uid, &[7; 32]).unwrap_err();
        assert_eq!(wrong.code(), ErrorCode::AccessDenied);
    }
    logged_in(&site, "alice", Some("horse")).end();
    assert!(!can_read(&vault, ALICE), "it is not even tried");
}

/// The vault was told by the first of these logins that it has not got the new password.
#[test]
fn logins_with_a_password_that_the_vault_has_not_got_cost_their_user_no_tries() {
    let (vault, site) = vault_and_site(&[(ALICE, "another")], Door::Socket);
    wait::until("a login that finds it stale", || {
        let guest = logged_in(&site, "alice", Some("horse"));
        state(&vault, ALICE).stale.then(|| guest.end())
    });
    for _ in 0..5 {
        logged_in(&site, "alice", Some("horse")).end();
    }
    let client = vault.client(ALICE, Door::Socket);
    let (old, new) = (key(&state(&vault, ALICE), "another"), key(&state(&vault, ALICE), "horse"));
    client.set_login_key(ALICE.uid, old.as_slice(), new.as_slice()).unwrap();
    assert!(can_read(&vault, ALICE));
}

/// sshd asks for a password in one process and opens the session in another, where no module finds it.
#[test]
fn a_password_that_was_asked_for_in_another_process_opens_nothing() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let mut monitor = site.start("alice", &["answer:horse", "authenticate", "meet", "end"]);
    check(&monitor.meet(), &LOGIN[..1]);
    let mut guest = site.start("alice", &["look", "open_session", "lease", "meet", "close_session", "same", "end"]);
    check(&guest.meet(), &LOGIN[1..]);
    assert!(!can_read(&vault, ALICE));
    assert!(!state(&vault, ALICE).stale, "and it was not tried");
    guest.end();
    monitor.end();
}
