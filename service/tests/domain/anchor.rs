//! The anchor: a store that somebody puts back from a copy does not open, whatever the daemon, the TPM and the administrator do
//! meanwhile, and nobody who has the recovery key is locked out.

use std::sync::Arc;

use tempfile::TempDir;
use tokenvault_core::port::{MetaKey, SealError};
use tokenvault_core::vault::{AnchorState, NewSlot, SealReason, Settings, State, daemon};

use crate::fixture::*;

const RECOVERY: [u8; 32] = [6; 32];
const PASSPHRASE: [u8; 32] = [8; 32];

fn held(home: &Home) -> bool {
    home.vault().anchor().state == AnchorState::Held
}

fn raises(home: &Home) -> u64 {
    home.vault().anchor().raises
}

/// Adds a recovery key and confirms it.
fn confirm(home: &Home) {
    let vault = home.vault();
    vault.add_slot(&daemon(), &NewSlot::Recovery(&public_of(&RECOVERY))).unwrap();
    vault.confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    vault.raise_anchor().unwrap();
}

/// On a TPM, with a confirmed recovery key.
fn anchored() -> Home {
    let home = Home::on_a_tpm();
    confirm(&home);
    home
}

/// Starts it as a boot does; what comes of it.
fn boot(home: &mut Home) -> State {
    home.start(Settings::default());
    let _may_not_open = home.unseal();
    home.vault().state()
}

fn snapshot(home: &mut Home) -> TempDir {
    home.stop();
    let copy = home.copy();
    assert_eq!(boot(home), State::Serving);
    copy
}

/// Puts a copy back, and starts.
fn roll_back(home: &mut Home, copy: &TempDir) -> State {
    home.stop();
    home.put_back(copy.path());
    boot(home)
}

#[test]
fn a_new_vault_on_a_tpm_is_anchored_and_the_counter_is_raised_when_something_was_written() {
    let mut home = Home::on_a_tpm();
    assert!(held(&home));
    assert_eq!((raises(&home), home.tpm().counters()), (0, 1));
    for step in 1..=3 {
        home.alice().put("a", b"1").unwrap();
        home.vault().raise_anchor().unwrap();
        assert_eq!(raises(&home), step);
        home.vault().raise_anchor().unwrap();
        assert_eq!(raises(&home), step, "nothing was written");
    }
    home.restart();
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    assert_eq!(home.vault().take_anchor_notice(), None);
}

#[test]
fn every_copy_from_before_the_last_raise_is_refused_and_every_later_one_opens() {
    const STEPS: usize = 24;
    let mut home = anchored();
    let (mut copies, mut raised_at) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        home.alice().put("a", &[u8::try_from(step).unwrap()]).unwrap();
        if step % 5 == 2 {
            home.vault().raise_anchor().unwrap();
            raised_at.push(copies.len());
        }
        copies.push(snapshot(&mut home));
    }
    let last = *raised_at.last().unwrap();
    assert!(last < STEPS - 1, "some are later: {raised_at:?}");
    for (number, copy) in copies.iter().enumerate() {
        let state = roll_back(&mut home, copy);
        assert_eq!(state == State::Serving, number >= last, "copy {number} of {raised_at:?}: {state:?}");
        if state == State::Quarantined {
            assert_eq!(refused(home.alice().get("a")), Refused::Quarantined);
            let status = home.vault().status();
            assert!(status.reason.contains("older") && status.reason.contains("tokenvaultctl recover"), "{status:?}");
        }
    }
}

#[test]
fn until_a_recovery_key_is_confirmed_an_old_copy_is_told_of_and_served() {
    let mut home = Home::on_a_tpm();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    home.vault().raise_anchor().unwrap();
    assert_eq!(roll_back(&mut home, &copy), State::Serving);
    assert!(home.vault().take_anchor_notice().unwrap().contains("older"));
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"old");
    home.restart();
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
fn a_copy_from_before_there_was_a_tpm_does_not_pass_for_a_new_vault() {
    let mut home = Home::new();
    home.plug_in(Arc::default());
    home.alice().put("a", b"old").unwrap();
    assert_eq!(home.vault().anchor().state, AnchorState::None);
    home.vault().raise_anchor().unwrap();
    assert_eq!((home.vault().anchor().state, home.tpm().counters()), (AnchorState::None, 0), "no slot needs the TPM");
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    let copy = snapshot(&mut home);
    // The copy has a slot of the TPM, and was made before there was an anchor: in `snapshot` it got one.
    confirm(&home);
    assert!(held(&home));
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn a_daemon_that_ends_between_store_and_tpm_opens_again_and_so_does_one_whose_answer_was_lost() {
    for how in [Fails::Before, Fails::After] {
        let mut home = anchored();
        home.alice().put("a", b"1").unwrap();
        home.tpm().fail_once(how);
        assert!(home.vault().raise_anchor().is_err());
        assert!(home.tpm().has_failed());
        assert!(matches!(home.vault().anchor().state, AnchorState::Pending(why) if why.contains("told to fail")));
        home.restart();
        assert!(held(&home), "{how:?}");
        // And where it does not end.
        home.alice().put("a", b"2").unwrap();
        home.tpm().fail_once(how);
        assert!(home.vault().raise_anchor().is_err());
        let before = raises(&home);
        home.alice().put("a", b"3").unwrap();
        home.vault().raise_anchor().unwrap();
        assert!(held(&home));
        assert_eq!(raises(&home), before + 2, "the one that was pending, and another");
        home.restart();
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
    home.restart();
    assert!(held(&home));
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
}

#[test]
fn a_cleared_tpm_locks_out_who_has_only_a_passphrase_and_the_recovery_key_goes_on() {
    let mut home = anchored();
    home.vault()
        .add_slot(&daemon(), &NewSlot::Passphrase { derived: &key(&PASSPHRASE), salt: &[1; 16], params: PHC })
        .unwrap();
    home.alice().put("a", b"1").unwrap();
    home.stop();
    home.tpm().clear();
    assert_eq!(boot(&mut home), State::Quarantined);
    home.stop();
    home.start(Settings::default());
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &key(&PASSPHRASE), None)), Refused::Quarantined);
    home.stop();
    home.start(Settings::default());
    home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
    assert!(home.vault().take_anchor_notice().unwrap().contains("cleared"));
    assert!(held(&home), "there is another one");
    home.restart();
    assert_eq!(home.alice().get("a").unwrap(), b"1");
}

#[test]
fn while_the_tpm_does_not_answer_only_the_recovery_key_opens_and_it_is_tried_again() {
    let mut home = anchored();
    home.alice().put("a", b"1").unwrap();
    home.stop();
    home.tpm().tell(Some(SealError::Timeout));
    assert_eq!(boot(&mut home), State::Sealed);
    assert_eq!(home.vault().seal_reason(), Some(SealReason::Anchor(SealError::Timeout)));
    home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
    assert!(matches!(home.vault().anchor().state, AnchorState::Pending(_)));
    assert!(home.vault().raise_anchor().is_err());
    home.tpm().tell(None);
    home.vault().raise_anchor().unwrap();
    assert!(held(&home));
    home.restart();
    assert_eq!(home.alice().get("a").unwrap(), b"1");
}

#[test]
fn an_old_copy_is_taken_with_the_recovery_key_by_who_says_so_and_by_nobody_else() {
    let mut home = anchored();
    // With which the log is read below.
    home.vault().add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    home.vault().raise_anchor().unwrap();
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
    home.stop();
    home.start(Settings::default());
    assert_eq!(refused(home.vault().recover(&daemon(), &key(&RECOVERY))), Refused::InvalidArgs, "it was not tried yet");
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &key(&RECOVERY), None)), Refused::Quarantined);
    assert_eq!(refused(home.vault().recover(&daemon(), &key(&[9; 32]))), Refused::AccessDenied);
    assert_eq!(home.vault().state(), State::Quarantined);
    let recovered = home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert_eq!((recovered.tokens, recovered.slots_removed), (1, 0));
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"old");
    home.vault().verify_rows(&Unwatched).unwrap();
    home.settle();
    assert!(records(&home).iter().any(|record| record.operation == "Recover"));
    home.restart();
    assert_eq!(home.alice().get("a").unwrap(), b"old", "unattended again");
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined, "it is taken once");
}

#[test]
fn rows_and_slots_that_somebody_changed_are_taken_with_the_recovery_key_too() {
    let mut home = anchored();
    home.alice().put("a", b"1").unwrap();
    home.alice().put("b", b"2").unwrap();
    home.tamper(|file| {
        file.change("DELETE FROM token WHERE id = (SELECT max(id) FROM token)", []);
        file.change("UPDATE slot SET created = created + 1 WHERE kind = 'tpm2'", []);
    });
    assert_eq!(home.vault().state(), State::Quarantined);
    let recovered = home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert_eq!(recovered.slots_removed, 1, "the slot that was changed");
    home.vault().verify_rows(&Unwatched).unwrap();
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    home.vault().raise_anchor().unwrap();
    assert!(held(&home));
    home.restart();
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
    home.vault().raise_anchor().unwrap();
    home.tamper(|file| file.change("UPDATE meta SET value = ?1 WHERE key = 'anchor'", [old]));
    assert_eq!(home.vault().state(), State::Quarantined);
}

#[test]
fn nor_by_who_takes_the_tpm_out_too() {
    let mut home = anchored();
    home.vault().add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    home.tpm().tell(Some(SealError::NoTpm("taken out".into())));
    home.tamper(|file| file.change("DELETE FROM meta WHERE key = 'anchor'", []));
    assert_eq!(home.vault().state(), State::Quarantined);
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
    home.vault().raise_anchor().unwrap();
    twin.alice().put("a", b"2").unwrap();
    twin.vault().raise_anchor().unwrap();
    assert!(held(&twin), "both have counted to the same value");
    home.alice().put("a", b"3").unwrap();
    home.vault().raise_anchor().unwrap();
    home.alice().put("a", b"4").unwrap();
    home.vault().raise_anchor().unwrap();
    twin.alice().put("a", b"5").unwrap();
    assert_eq!(refused(twin.vault().raise_anchor()), Refused::Quarantined);
    assert_eq!(twin.vault().state(), State::Quarantined);
}

#[test]
fn the_counters_go_with_the_last_slot_of_their_tpm() {
    let mut home = anchored();
    let vault = home.vault();
    assert_eq!(home.tpm().counters(), 2, "the anchor, and that the recovery key is confirmed");
    vault.add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    let tpm2 = vault.slots().unwrap().iter().find(|slot| slot.kind == "tpm2").unwrap().id;
    vault.remove_slot(&daemon(), tpm2, false).unwrap();
    assert_eq!((home.tpm().counters(), vault.anchor().state), (0, AnchorState::None));
    home.restart();
    assert_eq!(home.vault().state(), State::Serving);
}

#[test]
fn a_recovery_slot_that_goes_takes_its_mark_along() {
    let mut home = anchored();
    home.vault()
        .add_slot(&daemon(), &NewSlot::Passphrase { derived: &key(&PASSPHRASE), salt: &[1; 16], params: PHC })
        .unwrap();
    let recovery = home.vault().slots().unwrap().iter().find(|slot| slot.kind == "recovery").unwrap().id;
    home.vault().remove_slot(&daemon(), recovery, true).unwrap();
    home.vault().raise_anchor().unwrap();
    assert_eq!(home.tpm().counters(), 1);
    let copy = snapshot(&mut home);
    home.alice().put("a", b"1").unwrap();
    home.vault().raise_anchor().unwrap();
    assert_eq!(roll_back(&mut home, &copy), State::Serving, "nobody could come back otherwise");
}

#[test]
fn where_somebody_else_has_the_place_another_one_is_taken_and_found_again() {
    let mut home = Home::on_a_tpm();
    home.tpm().take_all();
    home.restart();
    assert!(home.vault().take_anchor_notice().unwrap().contains("no counter"));
    assert!(held(&home));
    assert_eq!(home.tpm().counters(), 2);
    confirm(&home);
    let copy = snapshot(&mut home);
    home.alice().put("a", b"1").unwrap();
    home.vault().raise_anchor().unwrap();
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
    home.restart();
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    home.tpm().tell(None);
    home.vault().raise_anchor().unwrap();
    assert!(held(&home));
}

#[test]
fn a_vault_that_no_tpm_opens_asks_none() {
    let mut home = Home::new();
    home.plug_in(Arc::default());
    home.restart();
    home.alice().put("a", b"1").unwrap();
    home.vault().raise_anchor().unwrap();
    assert_eq!(home.tpm().asked(), 0);
}
