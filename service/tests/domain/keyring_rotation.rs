//! Rotation of the keyring: everything opens all the while, and what the keys of before have sealed goes as soon as it can.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::types::Value;
use tokenvault_core::Error;
use tokenvault_core::audit::ChainFault;
use tokenvault_core::issued::IssuedFilter;
use tokenvault_core::port::{HeapMemory, MetaKey};
use tokenvault_core::slot::SlotMaker;
use tokenvault_core::token::{Class, CleanupRequest, PutOptions};
use tokenvault_core::vault::{ClockWord, State, daemon};

use crate::fixture::*;

/// What keys of the keyring seal.
const SEALED: [&str; 4] = [
    "SELECT record FROM principal",
    "SELECT key FROM principal",
    "SELECT record FROM login",
    "SELECT value FROM meta WHERE key IN ('trusted-time', 'told-expiry', 'heeded-notes') AND length(value) > 0",
];
const PASSWORD: [u8; 32] = [7; 32];

fn sealed(home: &Home) -> Vec<Value> {
    SEALED.iter().flat_map(|sql| home.database().blobs(sql)).collect()
}

/// The terms that are kept of each key.
fn terms(home: &Home, purpose: &str) -> Vec<u32> {
    let kept = home.read(|tx| tx.keyring());
    kept.into_iter().filter(|row| row.purpose == purpose).map(|row| row.term).collect()
}

fn enrol(home: &Home) -> tokenvault_core::Secret {
    let alice = home.alice().caller;
    let code = home.vault().enrol_login(&alice, &alice, secret(&PASSWORD)).unwrap();
    let of_login = PutOptions { class: Some(Class::Login), ..PutOptions::default() };
    home.alice().put_with("mine", b"of my login", of_login).unwrap();
    code
}

fn unlock(home: &Home, password: &[u8; 32]) -> Result<(), Error> {
    let alice = home.alice().caller;
    home.vault().lock_login(&alice, ALICE).unwrap();
    home.vault().unlock_login(&alice, &alice, &secret(password))
}

#[test]
fn everything_opens_and_nothing_is_sealed_as_it_was() {
    let mut home = Home::new();
    enrol(&home);
    home.alice().put("t", b"1").unwrap();
    home.bob().put("his", b"2").unwrap();
    let clock_is_right = Some(ClockWord::Synchronised);
    home.vault().cleanup(&daemon(), CleanupRequest { clock_is_right, ..CleanupRequest::default() }).unwrap();
    let before = sealed(&home);
    let done = home.rotate_keyring().unwrap();
    // Two principals, a login, the time.
    assert_eq!((done.rows, done.kept), (before.len() as u64 - 2, 2), "records and keys of principals are one row");
    assert!(done.rows >= 4, "{done:?}");
    let now = sealed(&home);
    assert!(now.len() == before.len() && !before.iter().any(|cell| now.contains(cell)));
    assert_eq!(terms(&home, "users"), [2]);
    assert_eq!(terms(&home, "tokens"), [2]);
    for _ in 0..2 {
        assert_eq!(home.alice().get("t").unwrap(), b"1");
        assert_eq!(home.bob().get("his").unwrap(), b"2");
        unlock(&home, &PASSWORD).unwrap();
        assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
        verified(&home).unwrap();
        home.restart();
        home.vault().verify_rows(&Unwatched).unwrap();
    }
    assert_eq!(home.rotate_keyring().unwrap().rows, done.rows);
    assert_eq!(terms(&home, "users"), [3]);
}

#[test]
fn a_row_of_before_that_somebody_puts_back_does_not_open() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let key = home.database().value("SELECT key FROM principal", []);
    let record = home.database().value("SELECT record FROM principal", []);
    home.rotate_keyring().unwrap();
    home.tamper(|database| database.change("UPDATE principal SET key = ?1, record = ?2", (key, record)));
    assert_eq!(refused(home.alice().get("t")), Refused::Quarantined);
}

#[test]
fn what_was_issued_stays_valid_and_its_key_goes_with_the_last_of_it() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let (token, offer) = (home.alice().token(), home.alice().offer("t").unwrap());
    let other = home.alice().issue(plain()).unwrap();
    assert!(home.alice().is_valid(&token));
    assert_eq!(home.rotate_keyring().unwrap().kept, 2, "of issued tokens and the audit log");
    let since = home.alice().token();
    for _ in 0..2 {
        for text in [&token, &since] {
            assert!(home.alice().is_valid(text) && home.alice().is_valid_hot(text));
        }
        assert_eq!(terms(&home, "tokens"), [1, 2]);
        home.restart();
        home.resume_keyring().unwrap();
    }
    assert_eq!(home.bob().redeem(&offer.code).unwrap(), b"1");
    assert_eq!(refused(home.bob().redeem(&offer.code)), Refused::OfferOver);
    home.alice().revoke(&other.id.to_string()).unwrap();
    assert!(!home.alice().is_valid(&other.token));
    assert_eq!(refused(home.alice().revoke(&other.id.to_string())), Refused::NotFound);
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "tokens"), [1, 2, 3]);
    assert!(home.alice().is_valid(&token) && home.alice().is_valid(&since));
    assert_eq!(home.alice().revoke_all(&IssuedFilter::default()).unwrap(), 2);
    let last = home.alice().token();
    // The offer is over and still there.
    home.alice().delete("t").unwrap();
    home.resume_keyring().unwrap();
    assert_eq!(terms(&home, "tokens"), [3]);
    assert!(home.alice().is_valid(&last) && !home.alice().is_valid(&token));
}

#[test]
fn a_key_of_before_is_kept_for_one_of_many_tokens_whoever_has_issued_it() {
    let mut home = Home::new();
    let last = User::new(home.vault(), 2_200);
    let users = 0..3;
    for uid in users.clone() {
        (0..150).for_each(|_| drop(User::new(home.vault(), 2_000 + uid).token()));
    }
    let token = last.token();
    drop(last);
    home.rotate_keyring().unwrap();
    for uid in users {
        User::new(home.vault(), 2_000 + uid).revoke_all(&IssuedFilter::default()).unwrap();
        (0..150).for_each(|_| drop(User::new(home.vault(), 2_000 + uid).token()));
    }
    home.resume_keyring().unwrap();
    home.restart();
    assert_eq!(terms(&home, "tokens"), [1, 2]);
    assert!(User::new(home.vault(), 2_200).is_valid(&token));
    User::new(home.vault(), 2_200).revoke_all(&IssuedFilter::default()).unwrap();
    home.resume_keyring().unwrap();
    assert_eq!(terms(&home, "tokens"), [2]);
}

#[test]
fn a_login_opens_without_its_user_having_been_asked_and_needs_the_pepper_of_before_until_then() {
    let mut home = Home::new();
    let code = enrol(&home);
    let alice = home.alice().caller;
    for _ in 0..3 {
        home.rotate_keyring().unwrap();
        home.restart();
    }
    // Of its password and its recovery code, both.
    assert_eq!(terms(&home, "pepper"), [1, 4]);
    assert_eq!(refused(unlock(&home, &[8; 32])), Refused::AccessDenied);
    unlock(&home, &PASSWORD).unwrap();
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
    // The recovery code needs it still.
    home.resume_keyring().unwrap();
    assert_eq!(terms(&home, "pepper"), [1, 4]);
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "pepper"), [1, 4, 5]);
    let copied = secret(code.expose());
    home.vault().recover_login(&alice, &alice, code, secret(&[9; 32])).unwrap();
    home.resume_keyring().unwrap();
    assert_eq!(terms(&home, "pepper"), [5], "both were shown");
    home.vault().recover_login(&alice, &alice, copied, secret(&[9; 32])).unwrap();
    home.restart();
    unlock(&home, &[9; 32]).unwrap();
    assert!(home.vault().set_login_key(&alice, &alice, secret(&[9; 32]), secret(&[10; 32])).unwrap());
    home.rotate_keyring().unwrap();
    // The password before is kept until the present one was shown.
    unlock(&home, &[9; 32]).unwrap();
    unlock(&home, &[10; 32]).unwrap();
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
    assert_eq!(refused(unlock(&home, &[9; 32])), Refused::AccessDenied);
}

#[test]
fn copies_of_login_keys_are_under_the_new_pepper_at_once() {
    let mut home = Home::new();
    enrol(&home);
    home.rotate_keyring().unwrap();
    home.restart();
    // What the login does not need may be another.
    for (purpose, term, opens) in [("tokens", 2, true), ("pepper", 2, false)] {
        let other = home.of_another_keyring(purpose, term);
        let sql = "UPDATE keyring SET wrapped = ?1 WHERE purpose = ?2 AND term = ?3";
        home.tamper(|database| database.change(sql, (&other, purpose, term)));
        assert_eq!(unlock(&home, &PASSWORD).is_ok(), opens, "{purpose}");
    }
}

#[test]
fn a_keyring_whose_newest_keys_somebody_takes_away_does_not_open() {
    let mut home = Home::new();
    home.rotate_keyring().unwrap();
    home.tamper(|database| database.change("DELETE FROM keyring WHERE purpose = 'integrity' AND term = 2", []));
    let status = home.vault().status();
    assert!(status.state == State::Quarantined && status.reason.contains("'integrity'"), "{}", status.reason);
}

#[test]
fn who_was_told_with_what_to_derive_a_key_enrols_with_that_after_a_rotation_too() {
    let mut home = Home::new();
    let alice = home.alice().caller;
    let told = home.vault().login_state(&alice, &alice).unwrap();
    home.rotate_keyring().unwrap();
    home.restart();
    enrol(&home);
    assert_eq!(home.vault().login_state(&alice, &alice).unwrap().salt, told.salt);
}

#[test]
fn who_has_the_keys_of_before_does_not_get_from_the_slots_to_those_of_now() {
    let home = Home::new();
    let before = home.keyring();
    home.rotate_keyring().unwrap();
    let id: [u8; 16] = home.read(|tx| tx.meta(MetaKey::VaultId)).unwrap().try_into().unwrap();
    let slots = home.read(|tx| tx.slots());
    let vk = home.vault_key();
    let maker = |keyring| SlotMaker { vault_id: &id, vk: &vk, keyring, memory: &HeapMemory, created: START };
    let after = home.keyring();
    for slot in &slots {
        assert!(maker(&before).rewrap(slot, &vk).is_err(), "the key of a slot opens with a key of before");
        assert!(maker(&after).rewrap(slot, &vk).is_ok());
    }
    home.vault().rotate_vault_key(&daemon()).unwrap();
    assert_eq!(terms(&home, "integrity"), [1, 2], "rows and anchors are bound to the first one");
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "integrity"), [1, 3]);
}

#[test]
fn logins_that_were_parked_before_are_open_after_a_restart_in_the_middle_of_it() {
    let mut home = Home::new();
    enrol(&home);
    let parked = home.vault().park_logins().unwrap();
    home.rotate_keyring().unwrap();
    // Its key has gone from the store. Who was parked before is not asked for it while it is known still.
    home.vault().lock_login(&home.alice().caller, ALICE).unwrap();
    assert_eq!(home.vault().restore_logins(&parked).unwrap(), [ALICE]);
    let parked = home.vault().park_logins().unwrap();
    assert_eq!(refused(home.rotate_keyring_watched(&Steps::only(1))), Refused::Cancelled);
    home.restart();
    assert_eq!(home.vault().restore_logins(&parked).unwrap(), [ALICE]);
    assert_eq!(home.alice().get("mine").unwrap(), b"of my login");
    home.resume_keyring().unwrap();
    let parked = home.vault().park_logins().unwrap();
    home.restart();
    assert_eq!(home.vault().restore_logins(&parked).unwrap(), [ALICE]);
}

#[test]
fn the_audit_log_goes_on_and_its_key_goes_with_the_last_record_of_it() {
    let mut home = Home::new();
    for _ in 0..3 {
        home.alice().put("t", b"1").unwrap();
        home.rotate_keyring().unwrap();
    }
    let opened = records(&home).len() as u64;
    assert!(verified(&home).unwrap() >= opened && opened > 6, "{opened} records");
    assert_eq!(terms(&home, "audit"), [1, 2, 3, 4]);
    home.restart();
    assert!(verified(&home).unwrap() > opened);
    home.set(|settings| settings.audit_records = 1);
    home.vault().shorten_audit(&Unwatched).unwrap();
    verified(&home).unwrap();
    home.resume_keyring().unwrap();
    assert_eq!(terms(&home, "audit"), [4]);
    home.restart();
    verified(&home).unwrap();
    home.alice().put("t", b"1").unwrap();
    home.rotate_keyring().unwrap();
    verified(&home).unwrap();
    assert!(records(&home).iter().filter(|record| record.operation == "Rotate").count() == 1);
}

#[test]
fn a_log_that_is_shortened_by_the_record_of_it_verifies() {
    let home = Home::new();
    while home.read(|tx| tx.audit_head()).unwrap().seq < 999 {
        home.alice().put("t", b"1").unwrap();
    }
    home.set(|settings| settings.audit_records = 1);
    for _ in 0..3 {
        home.rotate_keyring().unwrap();
        verified(&home).unwrap();
    }
    home.alice().put("t", b"1").unwrap();
    verified(&home).unwrap();
}

#[test]
fn a_log_whose_newest_records_are_gone_is_not_gone_on_with_by_a_key_of_before() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let last = i64::try_from(home.read(|tx| tx.audit_head()).unwrap().seq).unwrap();
    home.rotate_keyring().unwrap();
    assert!(verified(&home).is_ok());
    // While it runs: at its start it would be noticed by where the log had ended.
    home.database().change("DELETE FROM audit WHERE seq > ?1", [last]);
    let fault = home.vault().verify_audit(None, &Unwatched).unwrap();
    assert_eq!(
        fault.err(),
        Some(ChainFault::Record(last.unsigned_abs() + 1)),
        "what the key of before has written is all"
    );
}

#[test]
fn a_log_of_which_everything_goes_while_it_is_verified_is_whole() {
    let home = Home::new();
    home.rotate_keyring().unwrap();
    while home.read(|tx| tx.audit_head()).unwrap().seq < 1500 {
        home.alice().put("t", b"1").unwrap();
    }
    home.set(|settings| settings.audit_records = 1);
    let shorten = AtEachStep(|| {
        home.alice().put("t", b"1").unwrap();
        home.vault().shorten_audit(&Unwatched).unwrap();
    });
    assert!(home.vault().verify_audit(None, &shorten).unwrap().is_ok());
}

#[test]
fn a_rotation_that_has_not_ended_is_no_substitute_for_one_that_is_asked_for() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    assert_eq!(refused(home.rotate_keyring_watched(&Steps::only(1))), Refused::Cancelled);
    assert_eq!(terms(&home, "users"), [1, 2]);
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "users"), [3], "keys that may have been seen since");
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}

#[test]
fn when_as_many_keys_as_may_be_are_kept_those_go_first_that_nothing_needs_any_more() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    // Of the audit log all are kept.
    let refusal = std::iter::repeat_with(|| home.rotate_keyring()).find_map(Result::err).unwrap();
    assert!(matches!(&refusal, Error::Unavailable(text) if text.contains("'records' or 'days'")), "{refusal}");
    assert!(terms(&home, "audit").len() >= 100 && terms(&home, "users").len() == 1);
    home.set(|settings| settings.audit_records = 1);
    home.vault().shorten_audit(&Unwatched).unwrap();
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "audit").len(), 2);
    home.restart();
    verified(&home).unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}

#[test]
fn a_log_whose_beginning_was_changed_keeps_nobody_from_new_keys_and_stays_changed() {
    let mut home = Home::new();
    (0..10).for_each(|_| drop(home.alice().put("t", b"1").unwrap()));
    home.set(|settings| settings.audit_records = 1);
    home.vault().shorten_audit(&Unwatched).unwrap();
    verified(&home).unwrap();
    home.tamper(|database| {
        database.change("UPDATE meta SET value = zeroblob(length(value)) WHERE key = 'audit-base'", []);
    });
    home.rotate_keyring().unwrap();
    assert!(home.vault().verify_audit(None, &Unwatched).unwrap().is_err());
}

#[test]
fn requests_of_before_the_vault_was_sealed_end_first() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let held = home.vault().begin_user_rotation(&daemon(), ALICE, false).unwrap();
    home.vault().seal(&home.root().caller).unwrap();
    home.unseal().unwrap();
    assert_eq!(refused(home.rotate_keyring()), Refused::Unavailable);
    assert_eq!(refused(home.rotate_user(ALICE, false)), Refused::Unavailable);
    assert_eq!(refused(held.finish(&Unwatched)), Refused::Unavailable);
    home.rotate_keyring().unwrap();
    home.rotate_user(ALICE, false).unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}

#[test]
fn it_is_gone_on_with_wherever_it_ended() {
    let mut home = Home::new();
    enrol(&home);
    let token = home.alice().token();
    for uid in 0..130 {
        User::new(home.vault(), 2000 + uid).put("t", b"1").unwrap();
    }
    let before = sealed(&home);
    let mut steps = 0;
    let mut ended = home.rotate_keyring_watched(&Steps::only(steps));
    while let Err(error) = ended {
        assert_eq!(refused::<()>(Err(error)), Refused::Cancelled);
        home.restart();
        assert!(home.vault().has_unfinished_keyring_rotation().unwrap());
        assert!(home.alice().is_valid(&token) && User::new(home.vault(), 2000).get("t").unwrap() == b"1");
        unlock(&home, &PASSWORD).unwrap();
        verified(&home).unwrap();
        steps += 1;
        ended = home.resume_keyring_watched(&Steps::only(steps));
    }
    assert!(steps >= 5, "it ended in {steps} places only");
    assert_eq!(terms(&home, "users"), [2], "the same rotation all the time");
    let now = sealed(&home);
    assert!(!before.iter().any(|cell| now.contains(cell)));
    home.restart();
    assert!(!home.vault().has_unfinished_keyring_rotation().unwrap());
    home.vault().verify_rows(&Unwatched).unwrap();
    assert!((0..130).all(|uid| User::new(home.vault(), 2000 + uid).get("t").unwrap() == b"1"));
}

#[test]
fn another_vault_key_wraps_all_terms_that_are_kept() {
    let mut home = Home::new();
    home.alice().token();
    home.rotate_keyring().unwrap();
    let kept = home.read(|tx| tx.keyring()).len();
    home.vault().rotate_vault_key(&daemon()).unwrap();
    assert_eq!(home.read(|tx| tx.keyring()).len(), kept, "none that was gone comes back");
    home.restart();
    verified(&home).unwrap();
}

#[test]
fn of_two_at_one_time_the_second_is_refused() {
    let home = Home::new();
    let first = home.vault().begin_keyring_rotation(&daemon(), &Unwatched).unwrap();
    assert_eq!(refused(home.rotate_keyring()), Refused::Unavailable);
    first.finish(&Unwatched).unwrap();
    home.rotate_keyring().unwrap();
    assert_eq!(terms(&home, "users"), [3]);
}

#[test]
fn nobody_who_reads_or_writes_meanwhile_meets_a_key_he_does_not_know() {
    let home = Home::new();
    enrol(&home);
    home.alice().put("t", b"1").unwrap();
    let token = home.alice().token();
    let ends = AtomicBool::new(false);
    let until_the_end = |work: &dyn Fn(u64)| {
        let mut turn = 0;
        while !ends.load(Ordering::Relaxed) {
            work(turn);
            turn += 1;
        }
        assert!(turn > 5, "only {turn} turns");
    };
    std::thread::scope(|scope| {
        // Principals that are read anew each time.
        scope.spawn(|| {
            until_the_end(&|turn| {
                User::new(home.vault(), 3000 + u32::try_from(turn % 5000).unwrap()).put("t", b"1").unwrap();
            });
        });
        scope.spawn(|| {
            until_the_end(&|_| {
                let issued = home.alice().token();
                assert!(home.alice().is_valid(&issued) && home.alice().is_valid(&token));
            });
        });
        scope.spawn(|| until_the_end(&|_| unlock(&home, &PASSWORD).unwrap()));
        scope.spawn(|| until_the_end(&|_| assert!(verified(&home).is_ok())));
        scope.spawn(|| until_the_end(&|_| home.vault().verify_slots().unwrap()));
        scope.spawn(|| until_the_end(&|_| home.vault().note_time().unwrap()));
        let rotated = (0..30).try_for_each(|_| home.rotate_keyring().map(drop));
        ends.store(true, Ordering::Relaxed);
        rotated.unwrap();
    });
    home.check_counters();
}
