//! Logins at a real vault: when they open the login class, and when it is closed again.

use nix::sys::signal::Signal;
use tokenvault_client::{Client, ErrorCode, GetOptions, LoginState, PutOptions};
use tokenvault_tests::{ALICE, BOB, Door, ROOT, User, Vault, memory, through_both_doors, wait};

use crate::kit::{AUTH_ERR, Call, Site, Under, check, succeed};

const LOGIN: [&str; 2] = ["authenticate", "open_session"];
const TOKEN: &str = "of-the-login";

/// A vault in which users have a login class with a token in it, locked, and a machine where they log in.
fn vault_and_site(users: &[(User, &str)], door: Door) -> (Vault, Site) {
    let vault = Vault::start();
    for (user, password) in users {
        let client = vault.client(*user, Door::Socket);
        let state = client.login_state(user.uid).unwrap();
        assert!(!state.enrolled);
        client.enrol_login(user.uid, key(&state, password).as_slice()).unwrap();
        let options = PutOptions { class: Some("login".into()), ..PutOptions::default() };
        client.put(TOKEN, b"value", &options).unwrap();
        client.lock_login(user.uid).unwrap();
    }
    let site = Site::new().with_vault(&vault, door);
    (vault, site)
}

fn key(state: &LoginState, password: &str) -> tokenvault_kdf::Key {
    tokenvault_kdf::derive(password.as_bytes(), &state.salt, &state.params).unwrap()
}

fn state(vault: &Vault, user: User) -> LoginState {
    vault.client(ROOT, Door::Socket).login_state(user.uid).unwrap()
}

/// Whether the user can read the token.
fn can_read(vault: &Vault, user: User) -> bool {
    let client: Client = vault.client(user, Door::Socket);
    match client.get(TOKEN, &GetOptions::default()) {
        Ok(value) => value.data() == b"value",
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::Locked);
            false
        }
    }
}

/// The end of a lease is seen by the daemon in its own time.
fn until_locked(vault: &Vault, user: User) {
    wait::until("the login class to be locked", || (!state(vault, user).unlocked).then_some(()));
    assert!(!can_read(vault, user));
}

/// The login class was opened, and locked again by the end of a login.
fn until_logged_out(vault: &Vault, user: User) {
    wait::until("the login class to be locked", || has_logged_out(vault, user).then_some(()));
    until_locked(vault, user);
}

fn has_logged_out(vault: &Vault, user: User) -> bool {
    vault.log().contains(&format!("uid {} has logged out, and its login is locked", user.uid))
}

/// A program in which a user has logged in, with a password or without.
fn logged_in(site: &Site, user: &str, password: Option<&str>) -> crate::guest_program::Guest {
    let answer = format!("answer:{}", password.unwrap_or("none"));
    let actions = [&answer, "look", "authenticate", "open_session", "lease", "meet", "close_session", "same", "end"];
    let mut guest = site.start(user, &actions);
    check(&guest.meet(), &LOGIN);
    guest
}

through_both_doors! {
    fn a_login_with_the_password_opens_the_login_class_until_it_ends(door) {
        let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], door);
        let guest = logged_in(&site, "alice", Some("horse"));
        assert!(can_read(&vault, ALICE));
        assert!(!can_read(&vault, BOB), "and nobody else's");
        guest.end();
        until_locked(&vault, ALICE);
    }
}

#[test]
fn the_same_under_valgrind() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "lease", "close_session", "same", "end"];
    check(&site.run(Under::Valgrind, "alice", &actions), &["authenticate", "open_session", "close_session"]);
    until_logged_out(&vault, ALICE);
}

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
fn the_last_of_several_logins_closes_it() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], Door::Socket);
    let first = logged_in(&site, "alice", Some("horse"));
    let second = logged_in(&site, "alice", Some("horse"));
    first.end();
    // What ends later is seen later: after bob's login the daemon knows of the end of the first.
    site.set_password("bob", "horse");
    logged_in(&site, "bob", Some("horse")).end();
    until_logged_out(&vault, BOB);
    assert!(can_read(&vault, ALICE));
    second.end();
    until_logged_out(&vault, ALICE);
}

#[test]
fn a_login_program_that_is_killed_has_logged_out() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let guest = logged_in(&site, "alice", Some("horse"));
    assert!(can_read(&vault, ALICE));
    guest.process().signal(Signal::SIGKILL);
    until_locked(&vault, ALICE);
}

#[test]
fn a_password_that_its_user_changes_opens_it_beside_the_old_one_and_then_alone() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let who = format!("setuid-for:{}", ALICE.uid);
    let change = [&who, "answer:horse", "answer:stable", "look", "chauthtok", "same", "end"];
    check(&site.run(Under::Plain, "alice", &change), &["chauthtok"]);
    assert!(!can_read(&vault, ALICE), "a change is no login");

    // A module after this one refused the change: the password is the old one still.
    site.set_password("alice", "horse");
    let guest = logged_in(&site, "alice", Some("horse"));
    assert!(can_read(&vault, ALICE));
    guest.end();
    until_locked(&vault, ALICE);

    site.set_password("alice", "stable");
    let guest = logged_in(&site, "alice", Some("stable"));
    assert!(can_read(&vault, ALICE));
    guest.end();
    until_locked(&vault, ALICE);

    site.set_password("alice", "horse");
    let guest = logged_in(&site, "alice", Some("horse"));
    assert!(!can_read(&vault, ALICE), "the old one has gone with the first use of the new one");
    guest.end();
}

#[test]
fn a_password_that_root_sets_leaves_it_locked_and_stale_until_the_old_one_is_told_once() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    check(&site.run(Under::Plain, "alice", &["answer:stable", "look", "chauthtok", "same", "end"]), &["chauthtok"]);
    let guest = logged_in(&site, "alice", Some("stable"));
    assert!(!can_read(&vault, ALICE));
    assert!(state(&vault, ALICE).stale);

    let client = vault.client(ALICE, Door::Socket);
    let (old, new) = (key(&state(&vault, ALICE), "horse"), key(&state(&vault, ALICE), "stable"));
    client.set_login_key(ALICE.uid, old.as_slice(), new.as_slice()).unwrap();
    guest.end();
    until_locked(&vault, ALICE);
    let guest = logged_in(&site, "alice", Some("stable"));
    assert!(can_read(&vault, ALICE));
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
    let (vault, site) = vault_and_site(&[(ALICE, "another")], Door::Socket);
    for _ in 0..7 {
        logged_in(&site, "alice", Some("horse")).end();
    }
    let refused = vault.client(ALICE, Door::Socket).unlock_login(ALICE.uid, &[7; 32]).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::LimitsExceeded);
}

#[test]
fn a_program_of_the_user_opens_it_for_that_user_alone() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    succeed(&mut site.command_of(ALICE, &[], "alice", &actions));
    until_logged_out(&vault, ALICE);
    site.set_password("bob", "horse");
    succeed(&mut site.command_of(ALICE, &[], "bob", &actions));
    assert!(!can_read(&vault, BOB) && !has_logged_out(&vault, BOB));
}

/// The mappings of a process that are neither a file's nor named, and hold these bytes.
fn unnamed_mappings_with(pid: u32, bytes: &[u8]) -> usize {
    let regions = memory::regions_that_hold(pid, bytes);
    regions.iter().filter(|region| region.split_whitespace().count() == 5).count()
}

#[test]
fn the_password_is_gone_from_memory_when_the_session_has_begun() {
    let (_vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let password = "a password that is found nowhere else";
    site.set_password("alice", password);
    let answer = format!("answer:{password}");
    let mut guest = site.start("alice", &[&answer, "authenticate", "meet", "open_session", "meet", "end"]);
    guest.meet();
    assert_eq!(unnamed_mappings_with(guest.process().id(), password.as_bytes()), 1, "it is kept, once");
    guest.go_on();
    guest.meet();
    assert_eq!(unnamed_mappings_with(guest.process().id(), password.as_bytes()), 0);
    guest.end();
}
