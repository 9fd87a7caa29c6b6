//! Logins at a real vault that open the login class, and when it is closed again.

use nix::sys::signal::Signal;
use tokenvault_tests::{ALICE, BOB, Door, memory, through_both_doors, wait};

use crate::class::*;
use crate::kit::{CAP, LOADED, Under, calls, check, check_within, succeed};

through_both_doors! {
    fn a_login_with_the_password_opens_the_login_class_until_it_ends(door) {
        let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], door);
        let guest = opened_by_login(&vault, &site, ALICE, "horse");
        assert!(!can_read(&vault, BOB), "and nobody else's");
        guest.end();
        until_locked(&vault, ALICE);
    }
}

#[test]
fn the_same_under_valgrind() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    let log_in = || {
        let calls = site.run(Under::Valgrind, "alice", &actions);
        check_within(CAP + LOADED, &calls, &["authenticate", "open_session", "close_session"]);
        calls
    };
    until_logged_in_and_out(&vault, ALICE, log_in);
}

#[test]
fn the_last_of_several_logins_closes_it() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], Door::Socket);
    let second = wait::until("two logins of which both open it", || {
        site.set_password("alice", "horse");
        let first = opened_by_login(&vault, &site, ALICE, "horse");
        let second = logged_in(&site, "alice", Some("horse"));
        first.end();
        // What ends later is seen later: after bob's login the daemon knows of the end of the first.
        site.set_password("bob", "horse");
        opened_by_login(&vault, &site, BOB, "horse").end();
        until_locked(&vault, BOB);
        // Where it is locked, the second may have had no time to open it.
        can_read(&vault, ALICE).then_some(second)
    });
    second.end();
    until_logged_out(&vault, ALICE);
}

#[test]
fn a_login_program_that_is_killed_has_logged_out() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let guest = opened_by_login(&vault, &site, ALICE, "horse");
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
    let guest = opened_by_login(&vault, &site, ALICE, "horse");
    guest.end();
    until_locked(&vault, ALICE);

    site.set_password("alice", "stable");
    let guest = opened_by_login(&vault, &site, ALICE, "stable");
    guest.end();
    until_locked(&vault, ALICE);

    site.set_password("alice", "horse");
    let guest = logged_in(&site, "alice", Some("horse"));
    assert!(!can_read(&vault, ALICE), "the old one has gone with the first use of the new one");
    guest.end();
}

#[test]
fn a_program_of_the_user_opens_it_for_that_user_alone() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse"), (BOB, "horse")], Door::Socket);
    let actions = ["answer:horse", "look", "authenticate", "open_session", "close_session", "same", "end"];
    until_logged_in_and_out(&vault, ALICE, || calls(&succeed(&mut site.command_of(ALICE, &[], "alice", &actions))));
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
