//! A vault that is absent, killed, hanging or sealed: everyone logs in and out, in time.

use nix::sys::signal::Signal;
use tokenvault_tests::{ALICE, Door, ROOT, Vault};

use crate::kit::{Site, Under, check};

const NAMES: [&str; 3] = ["authenticate", "open_session", "close_session"];

/// A whole login and a change of the password.
#[track_caller]
fn everything_goes_on(site: &Site) {
    site.set_password("alice", "horse");
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &NAMES);
    let who = format!("setuid-for:{}", ALICE.uid);
    let actions = [&who, "answer:horse", "answer:stable", "look", "chauthtok", "same", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &["chauthtok"]);
}

/// A vault in which alice has a login class, and a machine where she logs in.
fn vault_and_site(door: Door) -> (Vault, Site) {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    let state = alice.login_state(ALICE.uid).unwrap();
    let key = tokenvault_kdf::derive(b"horse", &state.salt, &state.params).unwrap();
    alice.enrol_login(ALICE.uid, key.as_slice()).unwrap();
    let site = Site::new().with_vault(&vault, door);
    (vault, site)
}

#[test]
fn a_vault_that_is_not_there_keeps_nobody() {
    let vault = Vault::builder().prepare();
    for door in Door::ALL {
        everything_goes_on(&Site::new().with_vault(&vault, door));
    }
}

#[test]
fn a_vault_that_was_killed_keeps_nobody() {
    for door in Door::ALL {
        let (mut vault, site) = vault_and_site(door);
        vault.kill_daemon();
        everything_goes_on(&site);
    }
}

#[test]
fn a_vault_that_hangs_keeps_nobody() {
    for door in Door::ALL {
        let (mut vault, site) = vault_and_site(door);
        vault.daemon().process().stop();
        everything_goes_on(&site);
        vault.daemon().process().go_on();
    }
}

#[test]
fn a_bus_that_hangs_keeps_nobody() {
    let (vault, site) = vault_and_site(Door::Bus);
    vault.bus_process().stop();
    everything_goes_on(&site);
    vault.bus_process().go_on();
}

#[test]
fn a_sealed_vault_keeps_nobody() {
    let (vault, site) = vault_and_site(Door::Socket);
    vault.client(ROOT, Door::Socket).seal().unwrap();
    everything_goes_on(&site);
}

/// The hanging daemon is killed while somebody logs in.
#[test]
fn a_vault_that_is_killed_during_a_login_keeps_nobody() {
    let (mut vault, site) = vault_and_site(Door::Socket);
    vault.daemon().process().stop();
    let actions = ["answer:horse", "look", "authenticate", "meet", "open_session", "close_session", "same", "end"];
    let mut guest = site.start("alice", &actions);
    guest.meet();
    guest.go_on();
    vault.daemon().process().signal(Signal::SIGKILL);
    assert!(guest.ends_well());
}

/// The session outlives the daemon, which is started again meanwhile.
#[test]
fn a_session_that_the_daemon_has_forgotten_ends_in_order() {
    let (mut vault, site) = vault_and_site(Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "meet", "close_session", "same", "end"];
    let mut guest = site.start("alice", &actions);
    check(&guest.meet(), &NAMES[..2]);
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    guest.end();
}
