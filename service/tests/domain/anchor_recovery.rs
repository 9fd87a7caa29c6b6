//! The anchor and the recovery key: nobody who has it is locked out, and it alone takes a store that is not the one the TPM counts for.

use tokenvault_core::port::SealError;
use tokenvault_core::vault::{AnchorState, NewSlot, SealReason, Settings, State, daemon};

use crate::fixture::anchoring::{anchored, boot, held, raise, restart, roll_back, snapshot, verify};
use crate::fixture::*;

const PASSPHRASE: [u8; 32] = [8; 32];

#[test]
fn a_cleared_tpm_locks_out_who_has_only_a_passphrase_and_the_recovery_key_goes_on() {
    let mut home = anchored();
    home.vault()
        .add_slot(&daemon(), &NewSlot::Passphrase { derived: &key(&PASSPHRASE), salt: &[1; 16], params: PHC })
        .unwrap();
    home.alice().put("a", b"1").unwrap();
    home.stop();
    home.tpm().replace();
    home.start(Settings::default());
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &key(&PASSPHRASE), None)), Refused::Quarantined);
    home.stop();
    home.tpm().clear();
    assert_eq!(boot(&mut home), State::Quarantined);
    home.stop();
    home.start(Settings::default());
    home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
    assert!(home.vault().take_anchor_notice().unwrap().contains("cleared"));
    verify(&home);
    raise(&home);
    assert!(held(&home), "there is another one");
    restart(&mut home);
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
    verify(&home);
    assert!(matches!(home.vault().anchor().state, AnchorState::Pending(_)));
    assert!(home.vault().raise_anchor().is_err());
    home.tpm().tell(None);
    raise(&home);
    assert!(held(&home));
    restart(&mut home);
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
    raise(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
    home.stop();
    home.start(Settings::default());
    assert_eq!(refused(home.vault().recover(&daemon(), &key(&RECOVERY))), Refused::InvalidArgs, "it was not tried yet");
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &key(&RECOVERY), None)), Refused::Quarantined);
    assert_eq!(refused(home.vault().recover(&daemon(), &key(&[1; 32]))), Refused::AccessDenied);
    assert_eq!(home.vault().state(), State::Quarantined);
    let recovered = home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert_eq!((recovered.tokens, recovered.slots_removed), (1, 0));
    assert!(held(&home), "at once");
    assert_eq!(home.alice().get("a").unwrap(), b"old");
    home.vault().verify_rows(&Unwatched).unwrap();
    home.settle();
    assert!(records(&home).iter().any(|record| record.operation == "RecoverVault"));
    restart(&mut home);
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
    raise(&home);
    assert!(held(&home));
    restart(&mut home);
    assert!(home.vault().status().recovery_confirmed);
}

#[test]
fn a_recovery_while_the_tpm_is_away_is_finished_when_it_is_back() {
    let mut home = anchored();
    home.alice().put("a", b"old").unwrap();
    let copy = snapshot(&mut home);
    home.alice().put("a", b"new").unwrap();
    raise(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Quarantined);
    home.tpm().tell(Some(SealError::Timeout));
    home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert_eq!(home.alice().get("a").unwrap(), b"old");
    assert!(home.vault().raise_anchor().is_err());
    home.tpm().tell(None);
    raise(&home);
    assert!(held(&home));
    restart(&mut home);
    assert_eq!(home.alice().get("a").unwrap(), b"old");
}

#[test]
fn a_trusted_time_that_somebody_changed_does_not_keep_the_recovery_key_out() {
    let mut home = anchored();
    home.vault().note_time().unwrap();
    home.tamper(|file| {
        file.run("UPDATE meta SET value = x'00' WHERE key = 'trusted-time'; DELETE FROM slot WHERE kind = 'tpm2'");
    });
    home.stop();
    home.start(Settings::default());
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &key(&RECOVERY), None)), Refused::Quarantined);
    home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert!(home.vault().status().recovery_confirmed);
    home.stop();
    home.start(Settings::default());
    home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
    verify(&home);
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
fn a_recovery_slot_that_goes_takes_its_mark_along() {
    let mut home = anchored();
    home.vault()
        .add_slot(&daemon(), &NewSlot::Passphrase { derived: &key(&PASSPHRASE), salt: &[1; 16], params: PHC })
        .unwrap();
    let recovery = home.vault().slots().unwrap().iter().find(|slot| slot.kind == "recovery").unwrap().id;
    home.vault().remove_slot(&daemon(), recovery, true).unwrap();
    raise(&home);
    assert_eq!(home.tpm().counters(), 1);
    let copy = snapshot(&mut home);
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    assert_eq!(roll_back(&mut home, &copy), State::Serving, "nobody could come back otherwise");
}

#[test]
fn an_anchor_that_does_not_open_is_found_again_with_the_recovery_key() {
    let mut home = anchored();
    home.alice().put("a", b"1").unwrap();
    raise(&home);
    home.tamper(|file| file.change("UPDATE meta SET value = x'00' WHERE key = 'anchor'", []));
    assert_eq!(home.vault().state(), State::Quarantined);
    home.vault().recover(&daemon(), &key(&RECOVERY)).unwrap();
    assert_eq!(home.vault().state(), State::Serving);
    assert!(held(&home));
    let counters = home.tpm().counters();
    restart(&mut home);
    assert!(held(&home));
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    assert_eq!(home.tpm().counters(), counters, "it is the same one");
}
