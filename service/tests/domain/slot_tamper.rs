//! Somebody who can write the store and has no key works on the slots.

use tokenvault_core::vault::{HostKey, NewSlot, Settings, State, daemon};

use crate::fixture::*;

const PRIVATE: [u8; 32] = [6; 32];

fn with_recovery() -> Home {
    let home = Home::new();
    home.vault().add_slot(&daemon(), &NewSlot::Recovery(&public_of(&PRIVATE))).unwrap();
    home
}

#[test]
fn a_table_that_was_changed_quarantines_the_vault_whichever_slot_opens_it() {
    let edits = [
        "DELETE FROM slot WHERE id = 2",
        "UPDATE slot SET id = 7 WHERE id = 2",
        "UPDATE slot SET created = created + 1 WHERE id = 2",
        "UPDATE slot SET kind = 'passphrase' WHERE id = 2",
        "UPDATE slot SET wrapped_kek = zeroblob(81) WHERE id = 2",
        "UPDATE slot SET body = (SELECT body FROM slot WHERE id = 1) WHERE id = 2",
        "INSERT INTO slot SELECT 3, kind, body, wrapped_vk, wrapped_kek, created FROM slot WHERE id = 2",
        "DELETE FROM meta WHERE key = 'slot-mac'",
        "UPDATE meta SET value = zeroblob(32) WHERE key = 'slot-mac'",
        "UPDATE meta SET value = x'' WHERE key = 'slot-mac'",
    ];
    for edit in edits {
        let mut home = with_recovery();
        home.tamper(|file| file.change(edit, []));
        assert_eq!(home.vault().state(), State::Quarantined, "{edit}");
        assert_eq!(refused(home.alice().put("t", b"1")), Refused::Quarantined, "{edit}");
        let recovery = home.vault().unseal_with(&daemon(), &key(&PRIVATE), None);
        assert_eq!(refused(recovery), Refused::Quarantined, "{edit}");
        assert!(home.vault().status().reason.contains("slot table"), "{edit}");
    }
}

#[test]
fn the_vault_key_is_not_wrapped_for_a_table_that_changes_under_it() {
    let home = with_recovery();
    let before = home.read(|tx| tx.slots());
    home.database().change("UPDATE slot SET created = created + 1 WHERE id = 2", []);
    let new = NewSlot::Recovery(&public_of(&[7; 32]));
    assert_eq!(refused(home.vault().add_slot(&daemon(), &new)), Refused::Quarantined);
    assert_eq!(refused(home.vault().remove_slot(&daemon(), 2, true)), Refused::Quarantined);
    assert_eq!(home.read(|tx| tx.slots()).len(), before.len());
}

#[test]
fn a_damaged_slot_is_told_apart_and_another_one_still_opens() {
    let mut home = with_recovery();
    home.stop();
    home.database().change("UPDATE slot SET wrapped_vk = zeroblob(length(wrapped_vk)) WHERE id = 1", []);
    home.start(Settings::default());
    assert_eq!(refused(home.unseal()), Refused::DamagedSlot);
    let status = home.vault().status();
    assert_eq!(status.state, State::Sealed);
    assert!(status.reason.starts_with("DamagedSlot"), "{}", status.reason);
    // The recovery key opens the vault, which then sees that its table was changed.
    let recovery = home.vault().unseal_with(&daemon(), &key(&PRIVATE), None);
    assert_eq!(refused(recovery), Refused::Quarantined);
}

#[test]
fn a_slot_of_another_vault_does_not_open_this_one() {
    let mut other = Home::new();
    other.stop();
    let mut home = with_recovery();
    let theirs = other.path().join("vault.db");
    home.tamper(|file| {
        file.attach(&theirs);
        let columns = ["body", "wrapped_vk", "wrapped_kek"];
        let set: Vec<_> = columns.map(|name| format!("{name} = (SELECT {name} FROM theirs.slot WHERE id = 1)")).into();
        file.change(&format!("UPDATE slot SET {} WHERE id = 1", set.join(", ")), []);
    });
    let status = home.vault().status();
    assert_eq!(status.state, State::Sealed);
    assert!(status.reason.contains("another vault"), "{}", status.reason);
}

#[test]
fn half_a_vault_is_never_made_anew() {
    let losses = [
        "DELETE FROM meta WHERE key = 'vault-id'",
        "UPDATE meta SET value = x'00' WHERE key = 'vault-id'",
        "DELETE FROM meta",
        "DELETE FROM slot",
        "DELETE FROM keyring",
        "DELETE FROM meta; DELETE FROM slot",
        "DELETE FROM meta; DELETE FROM slot; DELETE FROM keyring",
        "DELETE FROM meta; DELETE FROM slot; DELETE FROM keyring; DELETE FROM audit",
        "DELETE FROM meta; DELETE FROM slot; DELETE FROM keyring; DELETE FROM principal",
    ];
    for loss in losses {
        let mut home = with_recovery();
        home.alice().put("t", b"1").unwrap();
        home.tamper(|file| file.run(loss));
        assert_ne!(home.vault().state(), State::Uninitialised, "{loss}");
        assert_ne!(home.vault().state(), State::Serving, "{loss}");
        let made = home.vault().create(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default()));
        assert!(made.is_err(), "{loss}");
        assert!(home.alice().get("t").is_err());
    }
}

#[test]
fn a_vault_that_lost_its_identity_says_so() {
    let mut home = with_recovery();
    home.tamper(|file| file.change("DELETE FROM meta WHERE key = 'vault-id'", []));
    let status = home.vault().status();
    assert_eq!(status.state, State::Quarantined);
    assert!(status.reason.contains("vault id") && status.next_step.contains("put the right store back"), "{status:?}");
}

#[test]
fn a_keyring_that_was_changed_quarantines_the_vault() {
    let edits = [
        "DELETE FROM keyring WHERE purpose = 'pepper'",
        "UPDATE keyring SET purpose = 'spice' WHERE purpose = 'pepper'",
        "UPDATE keyring SET term = 2 WHERE purpose = 'users'",
        "UPDATE keyring SET wrapped = (SELECT wrapped FROM keyring WHERE purpose = 'index') WHERE purpose = 'users'",
        "INSERT INTO keyring SELECT purpose, 2, wrapped FROM keyring WHERE purpose = 'users'",
    ];
    for edit in edits {
        let mut home = with_recovery();
        home.tamper(|file| file.change(edit, []));
        assert_eq!(home.vault().state(), State::Quarantined, "{edit}");
    }
}

#[test]
fn a_quarantined_vault_is_not_opened_by_trying_again() {
    let mut home = with_recovery();
    home.tamper(|file| file.change("DELETE FROM meta WHERE key = 'slot-mac'", []));
    for _ in 0..2 {
        let again =
            home.vault().unseal_unattended(&daemon(), &ScriptedSealer::default(), &HostKey::Key(key(&HOST_KEY)));
        assert_eq!(refused(again), Refused::Quarantined);
    }
}
