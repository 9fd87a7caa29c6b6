//! Whose keys a recovery key leads to: a vault that somebody has made who knows the public key alone is not taken for the owner's.

use tokenvault_core::Error;
use tokenvault_core::caller::Caller;
use tokenvault_core::keyring::Keyring;
use tokenvault_core::port::HeapMemory;
use tokenvault_core::slot::table::{self, Covered};
use tokenvault_core::slot::{Slot, SlotSecret};
use tokenvault_core::vault::{Settings, State, daemon};

use crate::fixture::*;

fn root(home: &Home) -> Caller {
    home.root().caller
}

#[test]
fn a_backup_that_nobody_vouches_for_is_restored_only_where_that_is_said_and_vouched_for_from_then_on() {
    let source = Home::new();
    source.add_unconfirmed_recovery();
    source.alice().put("a", b"1").unwrap();
    let backup = source.backup();
    let home = Home::new();
    let error = home.restore(&backup, false).unwrap_err();
    assert!(matches!(&error, Error::AccessDenied(text) if text.contains("option 'unvouched'")), "{error}");
    home.restore_unvouched(&backup, false).unwrap();
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    assert!(home.vault().status().recovery_confirmed);
    Home::new().restore(&home.backup(), false).unwrap();
}

#[test]
fn a_whole_vault_that_was_made_for_the_public_key_is_not_restored() {
    let home = Home::new();
    home.add_recovery();
    home.alice().put("a", b"1").unwrap();
    let id = home.vault().id().unwrap();
    let made_up = [&2_u32.to_be_bytes()[..], &[1; 32]].concat();
    for (what, confirmed) in [("none", None), ("made up", Some(&made_up))] {
        let forged = forged_backup(id, confirmed.map(Vec::as_slice));
        let expected = if confirmed.is_some() { Refused::InvalidArgs } else { Refused::AccessDenied };
        assert_eq!(refused(Home::bare().restore(&forged, false)), expected, "{what}");
        // And where the vault itself is, its keys are known.
        for restored in [home.restore(&forged, true), home.restore_unvouched(&forged, true)] {
            assert!(matches!(restored, Err(Error::InvalidArgs(_))), "{what}");
        }
    }
    let error = home.restore_unvouched(&forged_backup(id, None), true).unwrap_err();
    assert!(error.to_string().contains("has other keys"), "{error}");
    assert_eq!(home.alice().get("a").unwrap(), b"1");
    // It is whole but for that.
    Home::bare().restore_unvouched(&forged_backup(id, None), false).unwrap();
}

/// A vault that somebody has made with keys of his own, and what he says of the recovery key.
fn forged_store(confirmed: Option<[u8; 32]>) -> Home {
    let mut home = Home::new();
    let slot = home.add_unconfirmed_recovery();
    home.alice().put("planted", b"1").unwrap();
    home.settle();
    let id = home.vault().id().unwrap();
    let (slots, keyring) = home.read(|tx| Ok((tx.slots()?, tx.keyring()?)));
    let vk = Slot::parse(&slots[0], &id).unwrap().open(SlotSecret::Key(&key(&HOST_KEY)), &HeapMemory).unwrap();
    let keyring = Keyring::open(&keyring, &vk, &id, &HeapMemory).unwrap();
    let covered =
        Covered { slots, has_row_sum: true, anchored: None, vouched: confirmed.map(|voucher| (slot, voucher)) };
    let mac = table::compute(&keyring.slots().newest().unwrap(), &id, &covered, &HeapMemory).unwrap();
    home.stop();
    let kept = [&slot.to_be_bytes()[..], &confirmed.map_or(vec![], |voucher| voucher.to_vec())].concat();
    home.database().change("INSERT INTO meta VALUES ('recovery-confirmed', ?1)", [kept]);
    home.database().change("UPDATE meta SET value = ?1 WHERE key = 'slot-mac'", [mac.to_vec()]);
    home.start(Settings::default());
    home
}

#[test]
fn a_store_with_keys_that_the_recovery_key_was_not_shown_with_opens_by_it_under_no_name() {
    let home = forged_store(Some([1; 32]));
    assert_eq!(refused(home.vault().unseal_with(&root(&home), &key(&RECOVERY), None)), Refused::Quarantined);
    assert_eq!(home.vault().state(), State::Quarantined);
    assert!(home.vault().status().reason.contains("in which this recovery key was confirmed"));
    assert_eq!(refused(home.vault().recover(&root(&home), &key(&RECOVERY))), Refused::Quarantined);
    assert_eq!(home.vault().state(), State::Quarantined);
    // Where nobody has vouched, nothing is known of it.
    let home = forged_store(None);
    home.vault().unseal_with(&root(&home), &key(&RECOVERY), None).unwrap();
}

#[test]
fn whoever_opens_a_vault_with_the_recovery_key_vouches_for_it() {
    for opens_closed in [true, false] {
        let home = Home::new();
        home.add_unconfirmed_recovery();
        if opens_closed {
            home.vault().seal(&root(&home)).unwrap();
        }
        home.vault().unseal_with(&root(&home), &key(&RECOVERY), None).unwrap();
        home.settle();
        assert!(home.vault().status().recovery_confirmed);
        let last = records(&home).last().unwrap().operation.clone();
        assert_eq!(last, "Unseal");
        Home::new().restore(&home.backup(), false).unwrap();
        // Once is enough.
        let count = records(&home).len();
        home.vault().unseal_with(&daemon(), &key(&RECOVERY), None).unwrap();
        home.settle();
        assert_eq!(records(&home).len(), count);
        home.check_counters();
    }
}

#[test]
fn of_two_slots_of_one_key_the_one_that_was_vouched_for_counts() {
    let home = Home::new();
    home.add_unconfirmed_recovery();
    home.add_recovery();
    Home::new().restore(&home.backup(), false).unwrap();
}
