//! Slots: making a vault with one, opening it by each, adding and removing them.

use tokenvault_core::Error;
use tokenvault_core::port::SealError;
use tokenvault_core::slot::SlotKind;
use tokenvault_core::vault::{HostKey, NewSlot, SealReason, Settings, State, daemon};

use crate::fixture::*;

const DERIVED: [u8; 32] = [5; 32];
const PRIVATE: [u8; 32] = [6; 32];
const SALT: [u8; 16] = [8; 16];

fn add_passphrase(home: &Home) -> Result<u32, Error> {
    let new = NewSlot::Passphrase { derived: &key(&DERIVED), salt: &SALT, params: PHC };
    home.vault().add_slot(&daemon(), &new)
}

fn add_recovery(home: &Home) -> Result<u32, Error> {
    home.vault().add_slot(&daemon(), &NewSlot::Recovery(&public_of(&PRIVATE)))
}

fn unseal_with(home: &Home, secret: &[u8; 32], slot: Option<u32>) -> Result<(), Error> {
    home.vault().unseal_with(&daemon(), &key(secret), slot)
}

fn remove(home: &Home, id: u32, force: bool) -> Result<(), Error> {
    home.vault().remove_slot(&daemon(), id, force)
}

fn restart_sealed(home: &mut Home) {
    home.stop();
    home.start(Settings::default());
    assert_eq!(home.vault().state(), State::Sealed);
}

#[test]
fn a_vault_can_be_made_with_each_slot_that_serves_after_a_start() {
    let sealer = ScriptedSealer::default();
    let (host_key, derived) = (key(&HOST_KEY), key(&DERIVED));
    for first in [
        NewSlot::Tpm2(&sealer),
        NewSlot::HostKey(&host_key),
        NewSlot::Passphrase { derived: &derived, salt: &SALT, params: PHC },
    ] {
        let mut home = Home::bare();
        assert_eq!(home.vault().create(&daemon(), &first).unwrap(), 1);
        let status = home.vault().status();
        assert_eq!((status.state, status.protection), (State::Serving, Some(first.kind())));
        assert!(!status.recovery_confirmed && status.next_step.contains("tokenvaultctl init"));
        home.alice().put("t", b"1").unwrap();
        restart_sealed(&mut home);
        match first.kind() {
            SlotKind::Passphrase => unseal_with(&home, &DERIVED, None).unwrap(),
            _ => home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::Key(key(&HOST_KEY))).unwrap(),
        }
        assert_eq!(home.alice().get("t").unwrap(), b"1");
        assert_eq!(home.vault().status().protection, Some(first.kind()));
    }
}

#[test]
fn a_vault_is_not_made_with_a_recovery_slot_alone_nor_twice() {
    let home = Home::bare();
    let recovery = NewSlot::Recovery(&public_of(&PRIVATE));
    assert_eq!(refused(home.vault().create(&daemon(), &recovery)), Refused::InvalidArgs);
    assert_eq!(home.vault().state(), State::Uninitialised);
    let sealer = ScriptedSealer::refusing(SealError::Timeout);
    assert_eq!(refused(home.vault().create(&daemon(), &NewSlot::Tpm2(&sealer))), Refused::Tpm);
    assert_eq!(home.vault().slots().unwrap(), [], "nothing is left of what failed");
    let first = NewSlot::HostKey(&key(&HOST_KEY));
    home.vault().create(&daemon(), &first).unwrap();
    assert_eq!(refused(home.vault().create(&daemon(), &first)), Refused::InvalidArgs);
}

#[test]
fn every_slot_opens_the_same_vault() {
    let mut home = Home::new();
    let sealer = ScriptedSealer::default();
    home.alice().put("t", b"1").unwrap();
    assert_eq!((add_recovery(&home).unwrap(), add_passphrase(&home).unwrap()), (2, 3));
    assert_eq!(home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&sealer)).unwrap(), 4);
    // What opens with the same file has the same key: it would take the place of a new one.
    assert_eq!(refused(home.vault().add_slot(&daemon(), &NewSlot::HostKey(&key(&[1; 32])))), Refused::InvalidArgs);
    let kinds: Vec<_> = home.vault().slots().unwrap().into_iter().map(|slot| slot.kind).collect();
    assert_eq!(kinds, ["host-key", "recovery", "passphrase", "tpm2"]);
    for (by, secret, slot) in [
        (SlotKind::Recovery, &PRIVATE, None),
        (SlotKind::Recovery, &PRIVATE, Some(2)),
        (SlotKind::Passphrase, &DERIVED, None),
        (SlotKind::Passphrase, &DERIVED, Some(3)),
    ] {
        restart_sealed(&mut home);
        unseal_with(&home, secret, slot).unwrap();
        assert_eq!(home.vault().status().protection, Some(by));
        assert_eq!(home.alice().get("t").unwrap(), b"1");
    }
    restart_sealed(&mut home);
    home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::NotAllowed).unwrap();
    assert_eq!(home.vault().status().protection, Some(SlotKind::Tpm2), "the next slot is tried when one does not open");
}

#[test]
fn a_wrong_secret_or_slot_opens_nothing() {
    let mut home = Home::new();
    add_recovery(&home).unwrap();
    add_passphrase(&home).unwrap();
    restart_sealed(&mut home);
    assert_eq!(refused(unseal_with(&home, &[9; 32], None)), Refused::AccessDenied);
    assert_eq!(refused(unseal_with(&home, &PRIVATE, Some(3))), Refused::AccessDenied);
    assert_eq!(refused(unseal_with(&home, &DERIVED, Some(2))), Refused::AccessDenied);
    assert_eq!(refused(unseal_with(&home, &HOST_KEY, Some(1))), Refused::InvalidArgs, "a host key is not handed over");
    assert_eq!(refused(unseal_with(&home, &PRIVATE, Some(99))), Refused::InvalidArgs);
    let short = secret(b"short");
    assert_eq!(refused(home.vault().unseal_with(&daemon(), &short, None)), Refused::InvalidArgs);
    assert_eq!(home.vault().state(), State::Sealed);
    unseal_with(&home, &PRIVATE, Some(2)).unwrap();
}

#[test]
fn the_slots_tell_what_a_passphrase_is_derived_with_while_sealed() {
    let mut home = Home::new();
    add_passphrase(&home).unwrap();
    restart_sealed(&mut home);
    let slots = home.vault().slots().unwrap();
    assert_eq!(slots[0].passphrase, None);
    assert_eq!(slots[1].passphrase, Some((SALT.to_vec(), PHC.to_owned())));
    assert_eq!(slots[1].created, START);
}

#[test]
fn a_recovery_key_is_confirmed_by_the_one_who_has_it() {
    let mut home = Home::new();
    let confirm = |home: &Home, private| home.vault().confirm_recovery(&daemon(), &key(private));
    assert_eq!(refused(confirm(&home, &PRIVATE)), Refused::InvalidArgs, "there is no recovery slot");
    let slot = add_recovery(&home).unwrap();
    assert!(home.vault().status().next_step.contains("--confirm-recovery"));
    assert_eq!(refused(confirm(&home, &[9; 32])), Refused::AccessDenied);
    assert!(!home.vault().status().recovery_confirmed);
    confirm(&home, &PRIVATE).unwrap();
    home.restart();
    let status = home.vault().status();
    assert!(status.recovery_confirmed && status.reason.is_empty() && status.next_step.is_empty());
    remove(&home, slot, true).unwrap();
    assert!(!home.vault().status().recovery_confirmed, "with its slot the confirmation goes");
    assert_ne!(add_recovery(&home).unwrap(), slot);
    assert!(!home.vault().status().recovery_confirmed, "and does not come back with another");
}

#[test]
fn the_last_slot_stays_and_the_last_without_tpm_goes_by_force_only() {
    let home = Home::new();
    for force in [false, true] {
        assert_eq!(refused(remove(&home, 1, force)), Refused::AccessDenied, "the last of all");
    }
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    assert_eq!(refused(remove(&home, 1, false)), Refused::AccessDenied, "the last that needs no TPM");
    assert_eq!(refused(remove(&home, 99, true)), Refused::InvalidArgs);
    add_passphrase(&home).unwrap();
    remove(&home, 1, false).unwrap();
    remove(&home, 3, true).unwrap();
    assert_eq!(refused(remove(&home, 2, true)), Refused::AccessDenied);
    assert_eq!(home.vault().slots().unwrap().len(), 1);
}

#[test]
fn a_removed_slot_opens_nothing_and_its_number_is_not_given_again() {
    let mut home = Home::new();
    let slot = add_passphrase(&home).unwrap();
    remove(&home, slot, false).unwrap();
    assert_eq!(add_recovery(&home).unwrap(), slot + 1);
    restart_sealed(&mut home);
    assert_eq!(refused(unseal_with(&home, &DERIVED, None)), Refused::AccessDenied);
    assert_eq!(refused(unseal_with(&home, &DERIVED, Some(slot))), Refused::InvalidArgs);
}

#[test]
fn a_bad_public_key_or_passphrase_makes_no_slot() {
    let home = Home::new();
    let weak = "$argon2id$v=19$m=8,t=1,p=1";
    let derived = key(&DERIVED);
    for bad in [
        NewSlot::Recovery(&secret(&[0; 32])),
        NewSlot::Recovery(&secret(b"short")),
        NewSlot::Passphrase { derived: &derived, salt: &SALT, params: weak },
        NewSlot::Passphrase { derived: &derived, salt: b"short", params: PHC },
        NewSlot::Passphrase { derived: &secret(b""), salt: &SALT, params: PHC },
        NewSlot::HostKey(&secret(b"short")),
    ] {
        assert_eq!(refused(home.vault().add_slot(&daemon(), &bad)), Refused::InvalidArgs);
    }
    assert_eq!(home.vault().slots().unwrap().len(), 1);
}

#[test]
fn another_tpm_is_answered_by_recovery_and_a_new_slot() {
    let mut home = Home::bare();
    let sealer = ScriptedSealer::default();
    home.vault().create(&daemon(), &NewSlot::Tpm2(&sealer)).unwrap();
    add_recovery(&home).unwrap();
    home.alice().put("t", b"1").unwrap();
    restart_sealed(&mut home);
    sealer.tell(Some(SealError::WrongTpm));
    let refusal = home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::NotAllowed);
    assert!(matches!(refusal, Err(Error::Tpm(SealError::WrongTpm))));
    assert_eq!(home.vault().seal_reason(), Some(SealReason::Tpm(SealError::WrongTpm)));
    unseal_with(&home, &PRIVATE, None).unwrap();
    assert_eq!(refused(home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&sealer))), Refused::Tpm);
    sealer.tell(None);
    let slot = home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&sealer)).unwrap();
    remove(&home, 1, false).unwrap();
    restart_sealed(&mut home);
    home.vault().unseal_unattended(&daemon(), &sealer, &HostKey::NotAllowed).unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
    assert_eq!(home.vault().slots().unwrap().last().unwrap().id, slot);
}

#[test]
fn what_a_thief_gets_follows_from_the_slots() {
    let home = Home::bare();
    home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    let theft = home.vault().status().theft.unwrap();
    assert!(theft.disk_theft.starts_with("protected") && theft.machine_theft.starts_with("NOT protected"));
    assert!(!theft.machine_theft.contains("PIN") && theft.machine_theft.contains("passphrase"), "only what there is");
    home.vault().add_slot(&daemon(), &NewSlot::HostKey(&key(&HOST_KEY))).unwrap();
    assert!(home.vault().status().theft.unwrap().disk_theft.starts_with("NOT protected"));
}
