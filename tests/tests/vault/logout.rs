//! When a login class is closed: its user has logged out, whatever still runs, whoever looks, and whenever it happened.

use tokenvault_tests::login_manager::LoginManager;

use crate::common::*;
use crate::login::{enrolled, is_locked, lease};

/// Waits until the daemon has fewer files open than before: a lease that ends while the vault is sealed shows nowhere else.
fn wait_for_the_end_of_a_lease(vault: &mut Vault, before: usize) {
    let daemon = vault.daemon();
    wait::until("the lease to end", || (daemon.process().open_pipes() < before).then_some(()));
}

#[test]
fn who_logs_out_while_the_vault_is_sealed_stays_locked_when_it_opens() {
    let mut vault = Vault::start();
    for user in [ALICE, BOB] {
        enrolled(&vault, user, Door::Socket);
    }
    let root = vault.client(ROOT, Door::Socket);
    let (of_alice, _of_bob) = (lease(&root, ALICE), lease(&root, BOB));
    vault.stop_tpm();
    vault.restart_by_manager();
    vault.wait_for_state("sealed");
    let before = vault.daemon().process().open_pipes();
    drop(of_alice);
    wait_for_the_end_of_a_lease(&mut vault, before);
    // A login without a password opens nothing again.
    let _again = lease(&vault.client(ROOT, Door::Socket), ALICE);
    vault.start_tpm();
    vault.client(ROOT, Door::Socket).unseal(&[], &defaults()).ok();
    vault.wait_for_state("serving");
    let locked = [ALICE, BOB].map(|user| is_locked(&vault.client(user, Door::Socket)));
    assert_eq!(locked, [true, false]);
}

#[test]
fn who_logs_out_while_there_is_no_daemon_is_locked_by_the_next_one() {
    let mut vault = Vault::start();
    for user in [ALICE, BOB] {
        enrolled(&vault, user, Door::Socket);
    }
    let root = vault.client(ROOT, Door::Socket);
    let (of_alice, _of_bob) = (lease(&root, ALICE), lease(&root, BOB));
    vault.restart_by_manager_after(|| drop(of_alice));
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
    assert!(!is_locked(&vault.client(BOB, Door::Socket)));
}

#[test]
fn a_session_that_is_closing_keeps_nobody_logged_in() {
    let vault = Vault::start();
    let login_manager = LoginManager::on_the_bus_of(&vault, &[]);
    let sessions = [ALICE, BOB, CAROL].map(|user| login_manager.begin(user, "user"));
    let [alice, bob, carol] = [ALICE, BOB, CAROL].map(|user| enrolled(&vault, user, Door::Socket).0);
    let root = vault.client(ROOT, Door::Socket);
    let leases = [ALICE, CAROL].map(|user| lease(&root, user));
    // Both log out and leave something running; one of them without a lease, which would tell of it.
    login_manager.close(sessions[0]);
    login_manager.close(sessions[1]);
    drop(leases);
    wait::until("the logins to be locked", || (is_locked(&alice) && is_locked(&bob)).then_some(()));
    assert!(!is_locked(&carol), "the lease has ended, and the session goes on");
    login_manager.end(sessions[2]);
    wait::until("the login to be locked", || is_locked(&carol).then_some(()));
}

#[test]
fn a_session_that_closes_without_a_lease_to_tell_of_it_is_seen_all_the_same() {
    let vault = Vault::start();
    let login_manager = LoginManager::on_the_bus_of(&vault, &[]);
    let session = login_manager.begin(ALICE, "user");
    let before = login_manager.looks();
    let (alice, _code) = enrolled(&vault, ALICE, Door::Socket);
    // It is looked at when the login is opened, and once more. What comes later nothing tells of.
    wait::until("it to be looked at", || (login_manager.looks() >= before + 2).then_some(()));
    login_manager.close(session);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
}

#[test]
fn a_session_that_ends_while_it_is_looked_at_hides_no_other() {
    let vault = Vault::start();
    let login_manager = LoginManager::on_the_bus_of(&vault, &[]);
    login_manager.has_one_that_ends();
    let session = login_manager.begin(ALICE, "user");
    let (alice, _code) = enrolled(&vault, ALICE, Door::Socket);
    login_manager.end(session);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
}

#[test]
fn a_session_that_came_and_went_while_nobody_could_be_asked_is_over() {
    let vault = Vault::start();
    let login_manager = LoginManager::on_the_bus_of(&vault, &[]);
    let of_bob = login_manager.begin(BOB, "user");
    let bob = enrolled(&vault, BOB, Door::Socket).0;
    login_manager.refuses(true);
    let before = login_manager.looks();
    let alice = enrolled(&vault, ALICE, Door::Socket).0;
    wait::until("it to be asked in vain", || (login_manager.looks() > before).then_some(()));
    login_manager.refuses(false);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
    assert!(!is_locked(&bob), "his session has lasted");
    login_manager.end(of_bob);
    wait::until("the login to be locked", || is_locked(&bob).then_some(()));
}

#[test]
fn a_session_keeps_its_user_unlocked_over_a_restart_and_who_has_none_left_is_locked() {
    let mut vault = Vault::start();
    let login_manager = LoginManager::on_the_bus_of(&vault, &[]);
    let [of_alice, _of_bob] = [ALICE, BOB].map(|user| {
        enrolled(&vault, user, Door::Socket);
        login_manager.begin(user, "user")
    });
    vault.restart_by_manager_after(|| login_manager.end(of_alice));
    vault.wait_for_state("serving");
    let alice = vault.client(ALICE, Door::Socket);
    wait::until("the login to be locked", || is_locked(&alice).then_some(()));
    assert!(!is_locked(&vault.client(BOB, Door::Socket)));
}
