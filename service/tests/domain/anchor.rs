//! The anchor: a store that somebody puts back from a copy does not open, whatever the daemon, the TPM and the administrator do
//! meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokenvault_core::port::{MetaKey, SealError};
use tokenvault_core::vault::{AnchorState, NewSlot, SealReason, State, daemon};

use crate::fixture::anchoring::{anchored, boot, confirm, held, raise, raises, restart, roll_back, snapshot, verify};
use crate::fixture::*;

#[test]
fn a_new_vault_on_a_tpm_is_anchored_and_the_counter_is_raised_when_something_was_written() {
    let mut home = Home::on_a_tpm();
    assert!(held(&home));
    assert_eq!((raises(&home), home.tpm().counters()), (1, 1), "that it was made is behind it");
    for step in 2..=4 {
        home.alice().put("a", b"1").unwrap();
        raise(&home);
        assert_eq!(raises(&home), step);
        raise(&home);
        assert_eq!(raises(&home), step, "nothing was written");
    }
    restart(&mut home);
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    assert_eq!(home.vault().take_anchor_notice(), None);
}

#[test]
fn until_a_recovery_key_is_confirmed_an_old_copy_is_told_of_and_served() {
    let mut home = Home::on_a_tpm();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    raise(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Serving);
    assert!(home.vault().take_anchor_notice().unwrap().contains("older"));
    raise(&home);
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"old");
    restart(&mut home);
    assert_eq!(home.vault().take_anchor_notice(), None);
}

#[test]
fn a_copy_from_before_the_recovery_key_was_confirmed_does_not_say_that_none_is() {
    let mut home = Home::on_a_tpm();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    confirm(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn a_copy_from_before_the_first_counter_was_made_does_not_pass_for_a_new_vault() {
    let mut home = Home::new();
    home.plug_in(Arc::default());
    home.alice().put("a", b"old").unwrap();
    raise(&home);
    assert_eq!((home.vault().anchor().state, home.tpm().counters()), (AnchorState::None, 0), "no slot needs the TPM");
    confirm(&home);
    home.tpm().tell(Some(SealError::Timeout));
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    assert!(home.vault().raise_anchor().is_err());
    home.stop();
    let copy = home.copy();
    home.tpm().tell(None);
    assert_eq!(boot(&mut home), State::Serving);
    raise(&home);
    assert!(held(&home));
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
    // Nor where the TPM is out of the way, and another slot opens it.
    home.stop();
    home.put_back(copy.path());
    home.tpm().tell(Some(SealError::NoTpm("taken out".into())));
    assert_eq!(boot(&mut home), State::Sealed);
    assert!(matches!(home.vault().seal_reason(), Some(SealReason::Anchor(SealError::NoTpm(_)))));
}

#[test]
fn a_copy_from_the_making_of_the_counter_takes_no_other_value() {
    let mut home = Home::new();
    home.plug_in(Arc::default());
    confirm(&home);
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    home.tpm().fail_once(Step::Make, Fails::Before);
    assert!(home.vault().raise_anchor().is_err());
    assert!(home.tpm().has_failed());
    home.stop();
    let copy = home.copy();
    assert_eq!(boot(&mut home), State::Serving);
    raise(&home);
    assert!(held(&home), "it is made now");
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn a_counter_whose_making_was_not_answered_is_taken_at_the_next_try() {
    let mut home = Home::bare();
    home.plug_in(Arc::default());
    home.tpm().fail_once(Step::Make, Fails::After);
    home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    assert!(matches!(home.vault().anchor().state, AnchorState::Pending(_)));
    raise(&home);
    assert!(held(&home));
    assert_eq!(home.tpm().counters(), 1);
}

#[test]
fn a_copy_from_before_the_key_was_confirmed_is_asked_about_once_the_tpm_can_be() {
    let mut home = Home::on_a_tpm();
    home.vault().add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    home.stop();
    let copy = home.copy();
    assert_eq!(boot(&mut home), State::Serving);
    confirm(&home);
    home.stop();
    home.put_back(copy.path());
    home.tpm().tell(Some(SealError::Timeout));
    assert_eq!(boot(&mut home), State::Serving, "it says that nobody could come back");
    assert!(home.vault().raise_anchor().is_err());
    home.tpm().tell(None);
    assert_eq!(refused(home.vault().raise_anchor()), Refused::Quarantined);
    assert_eq!(home.vault().state(), State::Quarantined);
}

#[test]
fn that_a_recovery_key_is_confirmed_is_forgotten_on_nobodys_word() {
    let mut home = anchored();
    home.tamper(|file| file.change("DELETE FROM meta WHERE key = 'recovery-confirmed'", []));
    assert_eq!(home.vault().state(), State::Quarantined);
    assert_eq!(home.tpm().counters(), 2, "the TPM still knows it");
}

#[test]
fn nothing_is_anchored_before_the_rows_were_verified() {
    let mut home = anchored();
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    let before = raises(&home);
    home.restart();
    home.alice().put("a", b"2").unwrap();
    raise(&home);
    assert_eq!(raises(&home), before);
    verify(&home);
    raise(&home);
    assert_eq!(raises(&home), before + 1);
}

#[test]
fn a_daemon_that_ends_between_store_and_tpm_opens_again_and_so_does_one_whose_answer_was_lost() {
    for how in [Fails::Before, Fails::After] {
        let mut home = anchored();
        home.alice().put("a", b"1").unwrap();
        home.tpm().fail_once(Step::Raise, how);
        assert!(home.vault().raise_anchor().is_err());
        assert!(home.tpm().has_failed());
        assert!(matches!(home.vault().anchor().state, AnchorState::Pending(why) if why.contains("told to fail")));
        restart(&mut home);
        assert!(held(&home), "{how:?}");
        // And where it does not end.
        home.alice().put("a", b"2").unwrap();
        home.tpm().fail_once(Step::Raise, how);
        assert!(home.vault().raise_anchor().is_err());
        let before = raises(&home);
        home.alice().put("a", b"3").unwrap();
        raise(&home);
        assert!(held(&home));
        assert_eq!(raises(&home), before + 1, "the one that was pending is among those before");
        restart(&mut home);
        assert_eq!(home.alice().get("a").unwrap(), b"3");
    }
}

#[test]
fn no_raise_is_begun_while_another_is_pending() {
    let mut home = anchored();
    home.alice().put("a", b"1").unwrap();
    let copy = snapshot(&mut home);
    for _ in 0..5 {
        home.alice().put("a", b"2").unwrap();
        home.tpm().tell(Some(SealError::Timeout));
        assert!(home.vault().raise_anchor().is_err());
    }
    home.tpm().tell(None);
    restart(&mut home);
    assert!(held(&home));
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn the_anchor_can_be_taken_from_the_store_by_nobody() {
    for edit in ["DELETE FROM meta WHERE key = 'anchor'", "UPDATE meta SET value = x'' WHERE key = 'anchor'"] {
        let mut home = anchored();
        home.tamper(|file| file.change(edit, []));
        assert_eq!(home.vault().state(), State::Quarantined, "{edit}");
    }
    let mut home = anchored();
    let old = home.read(|tx| tx.meta(MetaKey::Anchor)).unwrap();
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    home.tamper(|file| file.change("UPDATE meta SET value = ?1 WHERE key = 'anchor'", [old]));
    assert_eq!(home.vault().state(), State::Quarantined);
}

#[test]
fn the_present_anchor_does_not_make_an_old_store_the_present_one() {
    let mut home = anchored();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    raise(&home);
    let anchor = home.read(|tx| tx.meta(MetaKey::Anchor)).unwrap();
    home.stop();
    home.put_back(copy.path());
    home.database().change("UPDATE meta SET value = ?1 WHERE key = 'anchor'", [anchor]);
    assert_eq!(boot(&mut home), State::Quarantined);
    assert!(home.vault().status().reason.contains("not of one time"));
}

#[test]
fn of_two_copies_that_run_at_once_one_goes_out_of_service() {
    let mut home = anchored();
    home.stop();
    let mut twin = Home::from_copy(home.copy());
    twin.plug_in(Arc::clone(home.tpm()));
    twin.stop();
    assert_eq!((boot(&mut home), boot(&mut twin)), (State::Serving, State::Serving));
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    twin.alice().put("a", b"2").unwrap();
    twin.vault().raise_anchor().unwrap();
    assert!(held(&twin), "both have counted to the same value");
    home.alice().put("a", b"3").unwrap();
    raise(&home);
    home.alice().put("a", b"4").unwrap();
    raise(&home);
    twin.alice().put("a", b"5").unwrap();
    assert_eq!(refused(twin.vault().raise_anchor()), Refused::Quarantined);
    assert_eq!(twin.vault().state(), State::Quarantined);
}

#[test]
fn what_still_has_a_slot_that_was_removed_is_an_old_copy() {
    let mut home = anchored();
    let copy = snapshot(&mut home);
    let vault = home.vault();
    vault.add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    let tpm2 = vault.slots().unwrap().iter().find(|slot| slot.kind == "tpm2").unwrap().id;
    vault.remove_slot(&daemon(), tpm2, false).unwrap();
    assert_eq!(vault.anchor().state, AnchorState::None);
    restart(&mut home);
    raise(&home);
    assert_eq!(home.vault().anchor().state, AnchorState::None);
    // And one that gets a slot of the same TPM again goes on from there.
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    raise(&home);
    assert!(held(&home));
    restart(&mut home);
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn where_somebody_else_has_the_place_another_one_is_taken_and_found_again() {
    let mut home = Home::on_a_tpm();
    home.tpm().take_all();
    restart(&mut home);
    assert!(home.vault().take_anchor_notice().unwrap().contains("no counter"));
    raise(&home);
    assert!(held(&home));
    assert_eq!(home.tpm().counters(), 2);
    confirm(&home);
    let copy = snapshot(&mut home);
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn a_tpm_that_takes_no_counter_does_not_keep_the_vault_from_serving() {
    let mut home = Home::bare();
    home.plug_in(Arc::default());
    home.tpm().tell(Some(SealError::Failed("no room".into())));
    home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    assert!(matches!(home.vault().anchor().state, AnchorState::Pending(why) if why.contains("no room")));
    home.alice().put("a", b"1").unwrap();
    restart(&mut home);
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    home.tpm().tell(None);
    raise(&home);
    assert!(held(&home));
}

#[test]
fn a_vault_that_no_tpm_opens_asks_none() {
    let mut home = Home::new();
    home.plug_in(Arc::default());
    restart(&mut home);
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    assert_eq!(home.tpm().asked(), 0);
}

#[test]
fn what_ends_a_way_into_a_login_has_the_counter_raised_soon() {
    let home = Home::new();
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = Arc::clone(&woken);
    home.vault().on_anchor(move || {
        waker.fetch_add(1, Ordering::Relaxed);
    });
    let (vault, alice) = (home.vault(), home.alice().caller);
    let code = vault.enrol_login(&alice, &alice, secret(&[7; 32])).unwrap();
    let wakes = |change: &dyn Fn()| {
        let before = woken.load(Ordering::Relaxed);
        change();
        woken.load(Ordering::Relaxed) > before
    };
    let copied = || secret(code.expose());
    assert!(wakes(&|| assert!(vault.set_login_key(&alice, &alice, secret(&[7; 32]), secret(&[8; 32])).unwrap())));
    assert!(wakes(&|| vault.unlock_login(&alice, &alice, &secret(&[8; 32])).unwrap()), "the one before opens no more");
    assert!(!wakes(&|| vault.unlock_login(&alice, &alice, &secret(&[8; 32])).unwrap()));
    assert!(wakes(&|| vault.recover_login(&alice, &alice, copied(), secret(&[9; 32])).unwrap()));
}
