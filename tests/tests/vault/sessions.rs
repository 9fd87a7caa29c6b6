//! A login class is open while the login manager knows of a session of its user, and no longer.

use tokenvault_tests::login_manager::LoginManager;
use tokenvault_tests::pipe;

use crate::common::*;

/// Makes a login class, which is open then.
fn enrol(vault: &Vault, user: User) -> Client {
    let client = vault.client(user, Door::Socket);
    client.enrol_login(user.uid, &[7; 32]).unwrap();
    client
}

fn is_unlocked(client: &Client) -> bool {
    client.who_am_i().unwrap().login_unlocked
}

fn until_locked(client: &Client) {
    wait::until("the login to be locked", || (!is_unlocked(client)).then_some(()));
}

/// Bob comes and goes. What was said of sessions before he did is known when his login is locked.
fn let_bob_come_and_go(vault: &Vault, manager: &LoginManager) {
    let session = manager.begin(BOB, "user");
    let bob = vault.client(BOB, Door::Socket);
    if bob.login_state(BOB.uid).unwrap().enrolled {
        bob.unlock_login(BOB.uid, &[7; 32]).unwrap();
    } else {
        enrol(vault, BOB);
    }
    manager.end(session);
    until_locked(&bob);
}

#[test]
fn the_end_of_the_last_session_locks_also_where_units_of_the_user_linger() {
    let vault = Vault::start();
    let manager = LoginManager::on_the_bus_of(&vault, &[]);
    let (first, second) = (manager.begin(ALICE, "user"), manager.begin(ALICE, "user-early"));
    // A user's manager that lingers, and a job of cron.
    manager.begin(ALICE, "manager");
    manager.begin(ALICE, "background");
    let alice = enrol(&vault, ALICE);
    manager.end(first);
    let_bob_come_and_go(&vault, &manager);
    assert!(is_unlocked(&alice), "she has another session");
    manager.end(second);
    until_locked(&alice);
}

#[test]
fn a_session_that_is_closing_is_none() {
    let vault = Vault::start();
    let manager = LoginManager::on_the_bus_of(&vault, &[]);
    let session = manager.begin(ALICE, "user");
    let alice = enrol(&vault, ALICE);
    manager.close(session);
    let_bob_come_and_go(&vault, &manager);
    until_locked(&alice);
}

#[test]
fn a_session_and_a_lease_each_keep_it_open() {
    let vault = Vault::start();
    let manager = LoginManager::on_the_bus_of(&vault, &[]);
    let session = manager.begin(ALICE, "user");
    let alice = enrol(&vault, ALICE);
    let (read, write) = pipe::open();
    alice.lease_login(ALICE.uid, read).unwrap();
    manager.end(session);
    let_bob_come_and_go(&vault, &manager);
    assert!(is_unlocked(&alice), "the lease lasts");
    let _session = manager.begin(ALICE, "user");
    drop(write);
    // As late as alice's lease, bob's ends.
    let bob = vault.client(BOB, Door::Socket);
    bob.unlock_login(BOB.uid, &[7; 32]).unwrap();
    bob.lease_login(BOB.uid, pipe::open().0).unwrap();
    until_locked(&bob);
    assert!(is_unlocked(&alice), "the session lasts");
}

#[test]
fn a_login_manager_that_is_restarted_locks_nobody_out() {
    let vault = Vault::start();
    let manager = LoginManager::on_the_bus_of(&vault, &[]);
    manager.begin(ALICE, "user");
    let alice = enrol(&vault, ALICE);
    drop(manager);
    let manager = LoginManager::on_the_bus_of(&vault, &[(ALICE, "user")]);
    let_bob_come_and_go(&vault, &manager);
    assert!(is_unlocked(&alice), "she has been there all the time");
    manager.end(0);
    until_locked(&alice);
}
