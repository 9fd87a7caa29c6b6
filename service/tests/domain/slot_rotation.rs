//! Rotation of the vault key and of the slots' keys: every slot opens the vault as before, and what was wrapped before opens nothing.

use rusqlite::types::Value;
use tokenvault_core::Error;
use tokenvault_core::port::SealError;
use tokenvault_core::slot::SlotKind;
use tokenvault_core::vault::{HostKey, NewSlot, Settings, State, daemon};

use crate::fixture::*;

const DERIVED: [u8; 32] = [5; 32];
const SALT: [u8; 16] = [8; 16];

/// A vault with a slot of each kind: 1 a host key, 2 the confirmed recovery key, 3 a passphrase, 4 a TPM.
fn with_every_slot() -> Home {
    let home = Home::new();
    home.add_recovery();
    home.vault().confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    let passphrase = NewSlot::Passphrase { derived: &key(&DERIVED), salt: &SALT, params: PHC };
    home.vault().add_slot(&daemon(), &passphrase).unwrap();
    home.vault().add_slot(&daemon(), &NewSlot::Tpm2(&ScriptedSealer::default())).unwrap();
    home.alice().put("t", b"1").unwrap();
    home
}

fn restart_sealed(home: &mut Home) {
    home.stop();
    home.start(Settings::default());
    assert_eq!(home.vault().state(), State::Sealed);
}

/// Opens the vault with each of its slots.
#[track_caller]
fn check_every_slot(home: &mut Home) {
    for (secret, by) in [(&RECOVERY, SlotKind::Recovery), (&DERIVED, SlotKind::Passphrase)] {
        restart_sealed(home);
        home.vault().unseal_with(&daemon(), &key(secret), None).unwrap();
        assert_eq!(home.vault().status().protection, Some(by));
    }
    let sealer = ScriptedSealer::default();
    for (id, by) in [(1, SlotKind::HostKey), (4, SlotKind::Tpm2)] {
        restart_sealed(home);
        home.vault().unseal_unattended_slot(&daemon(), &sealer, &HostKey::Key(key(&HOST_KEY)), id).unwrap();
        assert_eq!(home.vault().status().protection, Some(by));
    }
    assert_eq!(home.alice().get("t").unwrap(), b"1");
    assert!(home.vault().status().recovery_confirmed);
    home.vault().verify_slots().unwrap();
    home.vault().verify_rows(&Unwatched).unwrap();
}

fn column(home: &Home, sql: &str) -> Vec<Value> {
    home.database().blobs(sql)
}

#[test]
fn a_new_vault_key_is_opened_by_every_slot() {
    let mut home = with_every_slot();
    let kept = ["SELECT body FROM slot", "SELECT wrapped_kek FROM slot"].map(|sql| column(&home, sql));
    let renewed = ["SELECT wrapped_vk FROM slot", "SELECT wrapped FROM keyring"];
    let before = renewed.map(|sql| column(&home, sql));
    home.vault().rotate_vault_key(&daemon()).unwrap();
    for (before, sql) in before.iter().zip(renewed) {
        let now = column(&home, sql);
        assert!(before.len() == now.len() && before.iter().all(|cell| !now.contains(cell)), "{sql}");
    }
    assert_eq!(["SELECT body FROM slot", "SELECT wrapped_kek FROM slot"].map(|sql| column(&home, sql)), kept);
    home.alice().put("u", b"2").unwrap();
    // What goes on with the new one.
    home.vault().confirm_recovery(&daemon(), &key(&RECOVERY)).unwrap();
    let other = NewSlot::Passphrase { derived: &key(&[6; 32]), salt: &SALT, params: PHC };
    let added = home.vault().add_slot(&daemon(), &other).unwrap();
    home.vault().unseal_with(&daemon(), &key(&DERIVED), None).unwrap();
    home.vault().remove_slot(&daemon(), added, false).unwrap();
    home.vault().rotate_vault_key(&daemon()).unwrap();
    check_every_slot(&mut home);
    assert_eq!(home.alice().get("u").unwrap(), b"2");
}

#[test]
fn the_vault_key_of_before_opens_nothing() {
    for table in
        ["UPDATE slot SET wrapped_vk = ?1 WHERE id = 1", "UPDATE keyring SET wrapped = ?1 WHERE purpose = 'users'"]
    {
        let mut home = with_every_slot();
        let of = |home: &Home| match table.starts_with("UPDATE slot") {
            true => home.database().value("SELECT wrapped_vk FROM slot WHERE id = 1", []),
            false => home.database().value("SELECT wrapped FROM keyring WHERE purpose = 'users'", []),
        };
        let before = of(&home);
        home.vault().rotate_vault_key(&daemon()).unwrap();
        home.tamper(|database| database.change(table, [before]));
        assert_eq!(home.vault().state(), State::Quarantined, "{table}");
    }
}

#[test]
fn slots_that_somebody_changed_are_given_no_new_key() {
    let home = with_every_slot();
    let before = column(&home, "SELECT wrapped FROM keyring");
    home.database().change("UPDATE slot SET created = created + 1 WHERE id = 2", []);
    assert_eq!(refused(home.vault().rotate_vault_key(&daemon())), Refused::Quarantined);
    assert_eq!(refused(home.vault().rotate_slot(&daemon(), &ScriptedSealer::default(), 2)), Refused::Quarantined);
    assert_eq!(column(&home, "SELECT wrapped FROM keyring"), before);
}

#[test]
fn a_slot_is_given_a_key_of_its_own_again() {
    let mut home = with_every_slot();
    let row = |home: &Home, id: u32| {
        let cell = |column: &str| home.database().value(&format!("SELECT {column} FROM slot WHERE id = ?1"), [id]);
        ["body", "wrapped_vk", "wrapped_kek"].map(cell)
    };
    let before = [1, 2, 3, 4].map(|id| row(&home, id));
    for id in [2, 4] {
        home.vault().rotate_slot(&daemon(), &ScriptedSealer::default(), id).unwrap();
    }
    for (id, before) in [1, 2, 3, 4].into_iter().zip(&before) {
        let now = row(&home, id);
        if [2, 4].contains(&id) {
            assert!(now.iter().zip(before).all(|(now, before)| now != before), "slot {id}");
        } else {
            assert_eq!(&now, before, "slot {id}");
        }
    }
    check_every_slot(&mut home);
    home.vault().rotate_vault_key(&daemon()).unwrap();
    check_every_slot(&mut home);
}

#[test]
fn a_slot_whose_key_comes_from_a_secret_and_one_that_is_not_there_are_refused() {
    let home = with_every_slot();
    for (id, next) in [(1, "slot remove 1"), (3, "slot add"), (99, "slot list")] {
        let error = home.vault().rotate_slot(&daemon(), &ScriptedSealer::default(), id).unwrap_err();
        assert!(error.to_string().contains(next), "{error}");
        assert_eq!(Refused::from(&error), Refused::InvalidArgs);
    }
    let sealer = ScriptedSealer::refusing(SealError::Timeout);
    assert_eq!(refused(home.vault().rotate_slot(&daemon(), &sealer, 4)), Refused::Tpm);
    let before = column(&home, "SELECT body FROM slot");
    let rotated = home.vault().rotate_slot(&daemon(), &ScriptedSealer::of_another_tpm(), 4);
    assert!(matches!(rotated, Err(Error::Tpm(SealError::WrongTpm))), "{rotated:?}");
    assert_eq!(column(&home, "SELECT body FROM slot"), before);
    home.vault().verify_slots().unwrap();
}
