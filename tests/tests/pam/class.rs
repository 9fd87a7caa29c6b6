//! The login class of users of a vault, and whether it is open.

use tokenvault_client::{Client, ErrorCode, GetOptions, LoginState, PutOptions};
use tokenvault_tests::{Door, ROOT, User, Vault, wait};

use crate::guest_program::Guest;
use crate::kit::{CAP, Call, Site, check};

/// The calls of a login.
pub const LOGIN: [&str; 2] = ["authenticate", "open_session"];
const TOKEN: &str = "of-the-login";

/// A vault in which users have a login class with a token in it, locked, and a machine where they log in.
pub fn vault_and_site(users: &[(User, &str)], door: Door) -> (Vault, Site) {
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

pub fn key(state: &LoginState, password: &str) -> tokenvault_kdf::Key {
    tokenvault_kdf::derive(password.as_bytes(), &state.salt, &state.params).unwrap()
}

pub fn state(vault: &Vault, user: User) -> LoginState {
    vault.client(ROOT, Door::Socket).login_state(user.uid).unwrap()
}

/// Whether the user can read the token.
pub fn can_read(vault: &Vault, user: User) -> bool {
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
pub fn until_locked(vault: &Vault, user: User) {
    wait::until("the login class to be locked", || (!state(vault, user).unlocked).then_some(()));
    assert!(!can_read(vault, user));
}

/// The login class was opened, and locked again by the end of a login.
pub fn until_logged_out(vault: &Vault, user: User) {
    wait::until("the login class to be locked", || has_logged_out(vault, user).then_some(()));
    until_locked(vault, user);
}

pub fn has_logged_out(vault: &Vault, user: User) -> bool {
    vault.log().contains(&format!("uid {} has logged out, and its login is locked", user.uid))
}

/// A program in which a user has logged in whose login class that has opened. A login goes on without the vault where a busy
/// machine has no time for it, and then there is another one.
pub fn opened_by_login(vault: &Vault, site: &Site, user: User, password: &str) -> Guest {
    wait::until("a login that opens the login class", || {
        let (guest, calls) = log_in(site, user.name, Some(password));
        if can_read(vault, user) {
            return Some(guest);
        }
        assert_had_no_time(&calls);
        // It may have no lease either, and then has no good end.
        drop(guest);
        until_locked(vault, user);
        None
    })
}

/// Logs in until the login class was opened, and locked again by the end of the login.
pub fn until_logged_in_and_out(vault: &Vault, user: User, log_in: impl Fn() -> Vec<Call>) {
    wait::until("a login that opens the login class, and its end", || {
        let calls = log_in();
        until_locked(vault, user);
        if !has_logged_out(vault, user) {
            assert_had_no_time(&calls);
            return None;
        }
        Some(())
    });
}

/// The only reason for which a login does not open it.
#[track_caller]
fn assert_had_no_time(calls: &[Call]) {
    assert!(calls.iter().any(|call| call.took >= CAP / 2), "a login that had its time did not open it: {calls:?}");
}

/// A program in which a user has logged in, with a password or without.
pub fn logged_in(site: &Site, user: &str, password: Option<&str>) -> Guest {
    log_in(site, user, password).0
}

fn log_in(site: &Site, user: &str, password: Option<&str>) -> (Guest, Vec<Call>) {
    let answer = format!("answer:{}", password.unwrap_or("none"));
    let actions = [&answer, "look", "authenticate", "open_session", "meet", "lease", "close_session", "same", "end"];
    let mut guest = site.start(user, &actions);
    let calls = guest.meet();
    check(&calls, &LOGIN);
    (guest, calls)
}
