//! A vault that goes away while somebody is logged in, and a bus that hangs: everyone logs in and out, in time. The states that
//! a vault can be in when somebody comes are in the matrix.

use tokenvault_tests::{ALICE, Door};

use crate::class::vault_and_site;
use crate::kit::{Under, check};

const NAMES: [&str; 3] = ["authenticate", "open_session", "close_session"];

#[test]
fn a_bus_that_hangs_keeps_nobody() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Bus);
    vault.bus_process().stop();
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &NAMES);
    let who = format!("setuid-for:{}", ALICE.uid);
    let actions = [&who, "answer:horse", "answer:stable", "look", "chauthtok", "same", "end"];
    check(&site.run(Under::Plain, "alice", &actions), &["chauthtok"]);
    vault.bus_process().go_on();
}

/// The session outlives the daemon, which is started again meanwhile.
#[test]
fn a_session_that_the_daemon_has_forgotten_ends_in_order() {
    let (mut vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "meet", "close_session", "same", "end"];
    let mut guest = site.start("alice", &actions);
    check(&guest.meet(), &NAMES[..2]);
    vault.kill_daemon();
    vault.start_daemon();
    vault.wait_for_state("serving");
    guest.end();
}
