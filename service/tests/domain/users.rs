//! What administrators do about users: from the end of the call on, whatever was kept of the user before.

use std::sync::Arc;

use tokenvault_core::Error;
use tokenvault_core::policy::Role;
use tokenvault_core::port::ReadTx;
use tokenvault_core::user::{NameNow, Named, UserChanges, UserView};

use crate::fixture::*;
use crate::isolation::{assert_all, every_answer};

fn named(uid: u32, name: &str) -> Named {
    Named { uid, user: NameNow::Is(name.into()) }
}

fn nobody(uid: u32) -> Named {
    Named { uid, user: NameNow::None }
}

fn set(home: &Home, subject: &Named, changes: &UserChanges) -> Result<(), Error> {
    home.vault().set_user(&home.root().caller, subject, changes)
}

fn freeze(home: &Home, uid: u32) -> Result<(), Error> {
    home.vault().freeze_user(&home.root().caller, uid)
}

fn purge(home: &Home, uid: u32) -> Result<(), Error> {
    home.vault().purge_user(&home.root().caller, uid)
}

fn adopt(home: &Home, from: u32, to: &Named) -> Result<(), Error> {
    home.vault().adopt_user(&home.root().caller, from, to)
}

fn view(home: &Home, uid: u32) -> Option<UserView> {
    home.vault().users().unwrap().into_iter().find(|user| user.uid == uid)
}

fn role(role: Role) -> UserChanges {
    UserChanges { role: Some(Some(role)), ..UserChanges::default() }
}

fn active(active: bool) -> UserChanges {
    UserChanges { active: Some(active), ..UserChanges::default() }
}

/// A vault in which Alice has a token that was read lately.
fn home_with_token() -> Home {
    let home = Home::new();
    home.alice().put("t", b"alice's").unwrap();
    home.alice().get("t").unwrap();
    assert!(home.alice().get_hot("t").is_some());
    home
}

#[test]
fn a_role_counts_from_the_next_call_on() {
    let home = home_with_token();
    set(&home, &named(ALICE, "alice"), &role(Role::Consumer)).unwrap();
    assert_eq!(refused(home.alice().put("t", b"2")), Refused::AccessDenied);
    assert_eq!(home.alice().get("t").unwrap(), b"alice's", "she reads what she has");
    set(&home, &named(ALICE, "alice"), &role(Role::Developer)).unwrap();
    home.alice().put("t", b"2").unwrap();
}

#[test]
fn a_disabled_user_does_nothing_until_it_is_enabled() {
    let mut home = home_with_token();
    set(&home, &named(ALICE, "alice"), &active(false)).unwrap();
    for restarted in [false, true] {
        assert_all(every_answer(&home.alice(), "t"), Refused::AccessDenied);
        assert_eq!(home.alice().get_hot("t"), None);
        assert_eq!(refused(home.alice().list()), Refused::AccessDenied);
        if !restarted {
            home.restart();
        }
    }
    assert!(!view(&home, ALICE).unwrap().active);
    set(&home, &named(ALICE, "alice"), &active(true)).unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
}

#[test]
fn a_quota_of_ones_own_stands_before_the_configured_one() {
    let home = home_with_token();
    home.set(|settings| settings.tokens = 1);
    let quota = |tokens| UserChanges { quota_tokens: Some(tokens), ..UserChanges::default() };
    for (own, allowed) in [(None, false), (Some(2), true), (Some(1), false), (Some(0), true)] {
        set(&home, &named(ALICE, "alice"), &quota(own)).unwrap();
        assert_eq!(home.alice().put("second", b"2").is_ok(), allowed, "{own:?}");
        assert_eq!(view(&home, ALICE).unwrap().quota_tokens, own.unwrap_or(1));
        let _there_or_not = home.alice().delete("second");
    }
    let bytes = UserChanges { quota_bytes: Some(Some(1)), ..UserChanges::default() };
    set(&home, &named(ALICE, "alice"), &bytes).unwrap();
    assert_eq!(refused(home.alice().put("second", b"2")), Refused::LimitsExceeded);
}

#[test]
fn who_is_known_is_disabled_though_the_user_database_does_not_answer() {
    let home = home_with_token();
    let away = |uid| Named { uid, user: NameNow::Unavailable("the directory hangs".into()) };
    set(&home, &away(ALICE), &active(false)).unwrap();
    assert_eq!(refused(home.alice().get("t")), Refused::AccessDenied);
    assert_eq!(refused(set(&home, &away(BOB), &active(false))), Refused::Unavailable);
}

#[test]
fn a_user_the_vault_does_not_know_is_taken_in_if_the_machine_does() {
    let home = Home::new();
    assert_eq!(refused(set(&home, &nobody(BOB), &role(Role::Auditor))), Refused::InvalidArgs);
    assert_eq!(view(&home, BOB), None);
    set(&home, &named(BOB, "bob"), &role(Role::Auditor)).unwrap();
    let bob = view(&home, BOB).unwrap();
    assert_eq!((bob.user.as_str(), bob.role, bob.tokens), ("bob", Role::Auditor, 0));
    assert_eq!(refused(home.bob().put("t", b"1")), Refused::AccessDenied);
    set(&home, &nobody(BOB), &active(false)).unwrap();
}

#[test]
fn root_is_neither_demoted_nor_disabled_nor_taken_away() {
    let home = Home::new();
    home.root().put("t", b"the machine's").unwrap();
    let root = named(ROOT, "root");
    for refusal in [
        set(&home, &root, &role(Role::Consumer)),
        set(&home, &root, &active(false)),
        freeze(&home, ROOT),
        purge(&home, ROOT),
        adopt(&home, ROOT, &named(BOB, "bob")),
        adopt(&home, BOB, &root),
    ] {
        assert_eq!(refused(refusal), Refused::InvalidArgs);
    }
    assert_eq!(home.root().get("t").unwrap(), b"the machine's");
}

#[test]
fn whoever_has_the_uid_of_a_frozen_user_is_given_nothing_whatever_the_name() {
    let mut home = home_with_token();
    freeze(&home, ALICE).unwrap();
    for restarted in [false, true] {
        for successor in [home.alice(), home.alice().renamed("mallory")] {
            for name in ["t", "missing"] {
                assert_all(every_answer(&successor, name), Refused::AccessDenied);
                assert_eq!(successor.get_hot(name), None);
            }
            assert_eq!(refused(successor.list()), Refused::AccessDenied);
            assert_eq!(refused(successor.usage()), Refused::AccessDenied);
        }
        if !restarted {
            home.restart();
        }
    }
    assert_eq!(view(&home, ALICE).unwrap().frozen, Some(START));
    adopt(&home, ALICE, &named(ALICE, "alice")).unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
}

#[test]
fn tokens_are_adopted_by_a_user_of_another_name() {
    let home = home_with_token();
    assert_eq!(refused(adopt(&home, ALICE, &nobody(ALICE))), Refused::InvalidArgs, "nobody has that uid now");
    adopt(&home, ALICE, &named(ALICE, "alicia")).unwrap();
    assert_eq!(home.alice().renamed("alicia").get("t").unwrap(), b"alice's");
    assert_eq!(refused(home.alice().get("t")), Refused::AccessDenied, "the name she had is nobody's");
}

#[test]
fn tokens_are_adopted_by_another_uid_and_are_no_longer_the_first_ones() {
    let mut home = home_with_token();
    home.alice().put("t", b"alice's second").unwrap();
    home.root().put("u", b"1").unwrap();
    assert_eq!(refused(home.bob().get("t")), Refused::NotFound);
    adopt(&home, ALICE, &named(BOB, "bob")).unwrap();
    for restarted in [false, true] {
        assert_eq!(home.bob().get("t").unwrap(), b"alice's second");
        assert_eq!(home.bob().get_version("t", 1).unwrap(), b"alice's");
        assert_eq!(refused(home.alice().get("t")), Refused::NotFound);
        assert_eq!(home.alice().get_hot("t"), None);
        assert_eq!(view(&home, ALICE), None);
        if !restarted {
            home.restart();
        }
    }
    home.bob().put("t", b"3").unwrap();
    home.alice().put("t", b"another").unwrap();
    assert_eq!(home.bob().get("t").unwrap(), b"3");
}

#[test]
fn a_user_with_tokens_of_its_own_adopts_none() {
    let home = home_with_token();
    home.bob().put("mine", b"bob's").unwrap();
    assert_eq!(refused(adopt(&home, ALICE, &named(BOB, "bob"))), Refused::InvalidArgs);
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
    home.bob().delete("mine").unwrap();
    let issued = home.bob().issue(plain()).unwrap();
    assert_eq!(refused(adopt(&home, ALICE, &named(BOB, "bob"))), Refused::InvalidArgs, "what it issued would be lost");
    home.bob().revoke(&issued.id.to_string()).unwrap();
    adopt(&home, ALICE, &named(BOB, "bob")).unwrap();
    assert_eq!(home.bob().get("t").unwrap(), b"alice's");
}

#[test]
fn a_role_stays_with_the_person_it_was_given_to() {
    let home = home_with_token();
    set(&home, &named(ALICE, "alice"), &role(Role::Admin)).unwrap();
    adopt(&home, ALICE, &named(ALICE, "alice")).unwrap();
    assert_eq!(view(&home, ALICE).unwrap().role, Role::Admin);
    set(&home, &named(BOB, "bob"), &role(Role::Consumer)).unwrap();
    adopt(&home, ALICE, &named(BOB, "bob")).unwrap();
    assert_eq!(view(&home, BOB).unwrap().role, Role::Consumer);
    set(&home, &named(BOB, "bob"), &role(Role::Admin)).unwrap();
    adopt(&home, BOB, &named(BOB, "robert")).unwrap();
    assert_eq!(view(&home, BOB).unwrap().role, Role::Developer, "somebody else, for all that is known");
}

#[test]
fn a_purge_leaves_nothing_of_a_user_and_everything_of_the_others() {
    let home = home_with_token();
    home.bob().put("t", b"bob's").unwrap();
    for number in 0..250 {
        home.alice().put(&format!("many/{number}"), b"1").unwrap();
    }
    home.alice().put("many/1", b"2").unwrap();
    let principal = home.read(|tx| tx.principals(0, 10))[0].id;
    purge(&home, ALICE).unwrap();
    assert_eq!(home.read(|tx| tx.tokens(principal, &[], 0, 10)).len(), 0);
    assert_eq!(home.read(|tx| ReadTx::totals(tx)).tokens, 1);
    assert_eq!(view(&home, ALICE), None);
    assert_eq!(refused(home.alice().get("t")), Refused::NotFound);
    assert_eq!(home.alice().get_hot("t"), None);
    home.alice().renamed("mallory").put("t", b"hers").unwrap();
    assert_eq!(home.bob().get("t").unwrap(), b"bob's");
    assert!(verified(&home).is_ok());
}

#[test]
fn a_uid_the_vault_does_not_know_is_said_to_be_unknown() {
    let home = Home::new();
    for refusal in [freeze(&home, BOB), purge(&home, BOB), adopt(&home, BOB, &named(BOB, "bob"))] {
        assert_eq!(refused(refusal), Refused::InvalidArgs);
    }
}

#[test]
fn the_list_has_everybody_with_what_they_hold_and_when_they_came_last() {
    let home = home_with_token();
    home.bob().put("a", b"1").unwrap();
    home.bob().put("b", b"1").unwrap();
    home.alice().get("t").unwrap();
    wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
    home.settle();
    let users = home.vault().users().unwrap();
    let told: Vec<_> = users.iter().map(|user| (user.uid, user.user.as_str(), user.tokens, user.last_seen)).collect();
    assert_eq!(told, [(ALICE, "alice", 1, Some(START)), (BOB, "bob", 2, Some(START))]);
}

#[test]
fn a_day_is_written_down_once() {
    let home = home_with_token();
    let flush = || {
        wait(|reply| home.vault().flush_audit(true, reply)).unwrap();
        home.settle();
        view(&home, ALICE).unwrap().last_seen
    };
    home.alice().get("t").unwrap();
    assert_eq!(flush(), Some(START));
    home.clock.advance_usec(SECOND);
    home.alice().get("t").unwrap();
    assert_eq!(flush(), Some(START), "the same day");
    home.clock.advance_usec(DAY);
    home.alice().get("t").unwrap();
    assert_ne!(flush(), Some(START));
}

#[test]
fn what_was_being_read_while_a_user_is_disabled_is_not_kept() {
    let home = Arc::new(home_with_token());
    let reader = Arc::clone(&home);
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reading = Arc::clone(&done);
    let thread = std::thread::spawn(move || {
        while !reading.load(std::sync::atomic::Ordering::Relaxed) {
            let _given_or_not = reader.alice().get("t");
        }
    });
    for _ in 0..50 {
        for (is_active, answered) in [(false, Err(Refused::AccessDenied)), (true, Ok(b"alice's".to_vec()))] {
            set(&home, &named(ALICE, "alice"), &active(is_active)).unwrap();
            assert_eq!(answer(home.alice().get("t")), answered);
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    thread.join().unwrap();
}

#[test]
fn what_a_user_issued_is_good_for_nothing_while_it_is_disabled_or_frozen_and_gone_with_it() {
    let home = home_with_token();
    let issued = home.alice().issue(plain()).unwrap();
    let offered = home.alice().offer("t").unwrap().code.to_string();
    assert!(home.root().is_valid(&issued.token) && home.root().is_valid(&issued.token), "also where it lies opened");
    set(&home, &named(ALICE, "alice"), &active(false)).unwrap();
    assert!(!home.root().is_valid(&issued.token));
    set(&home, &named(ALICE, "alice"), &active(true)).unwrap();
    assert!(home.root().is_valid(&issued.token));
    freeze(&home, ALICE).unwrap();
    assert!(!home.root().is_valid(&issued.token));
    assert_eq!(refused(home.bob().redeem(&offered)), Refused::NoOffer);
    adopt(&home, ALICE, &named(ALICE, "alice")).unwrap();
    assert!(home.root().is_valid(&issued.token));
    for number in 0..150 {
        home.alice().issue(plain()).unwrap();
        home.alice().put(&format!("many/{number}"), b"1").unwrap();
        home.alice().offer(&format!("many/{number}")).unwrap();
    }
    purge(&home, ALICE).unwrap();
    assert!(!home.root().is_valid(&issued.token));
    home.check_counters();
    assert_eq!(home.read(|tx| tx.ended_issued(i64::MAX, (i64::MIN, i64::MIN), 10)).len(), 0);
}
