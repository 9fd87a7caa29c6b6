//! Slots: what opens the vault, and sealing it by hand.

use crate::common::*;

fn kinds(root: &Client) -> Vec<String> {
    root.slots().unwrap().into_iter().map(|slot| slot.kind).collect()
}

fn passphrase_options() -> AddSlotOptions {
    AddSlotOptions { salt: Some(vec![3; 16]), params: Some("$argon2id$v=19$m=65536,t=3,p=1".into()) }
}

through_both_doors! {
    fn a_sealed_vault_opens_again_by_each_of_its_slots(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        let alice = vault.client(ALICE, door);
        alice.put("t", b"v", &defaults()).unwrap();
        root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
        let derived = [9; 32];
        root.add_slot("passphrase", &derived, &passphrase_options()).unwrap();
        assert_eq!(kinds(&root), ["tpm2", "recovery", "passphrase"]);

        for (secret, protection) in [(&[][..], "tpm2"), (&RECOVERY_PRIVATE, "recovery"), (&derived, "passphrase")] {
            root.seal().unwrap();
            let status = root.status().unwrap();
            assert_eq!((status.state.as_str(), status.protection.as_str()), ("sealed", ""));
            assert_eq!(code(alice.get("t", &defaults())), ErrorCode::Sealed);
            root.unseal(secret, &defaults()).unwrap();
            let status = root.status().unwrap();
            assert_eq!((status.state.as_str(), status.protection.as_str()), ("serving", protection));
            assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
        }
    }

    fn the_passphrase_slot_tells_how_its_key_was_derived(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        let id = root.add_slot("passphrase", &[9; 32], &passphrase_options()).unwrap();
        root.seal().unwrap();
        let slot = root.slots().unwrap().into_iter().find(|slot| slot.id == id).unwrap();
        assert_eq!(slot.salt, passphrase_options().salt);
        assert_eq!(slot.params, passphrase_options().params);
        assert!(slot.created > 0);
    }

    fn the_recovery_key_counts_once_it_was_typed_back(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        assert_eq!(code(root.confirm_recovery(&RECOVERY_PRIVATE)), ErrorCode::InvalidArgs, "there is no slot yet");
        root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
        assert!(!root.status().unwrap().recovery_confirmed);
        assert_eq!(code(root.confirm_recovery(&[1; 32])), ErrorCode::AccessDenied);
        assert!(!root.status().unwrap().recovery_confirmed);
        root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
        let status = root.status().unwrap();
        assert!(status.recovery_confirmed);
        assert_eq!((status.reason.as_str(), status.next_step.as_str()), ("", ""));
    }

    fn the_last_way_in_without_the_tpm_is_not_lost_by_mistake(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        let tpm = root.slots().unwrap()[0].id;
        assert_eq!(code(root.remove_slot(tpm, &defaults())), ErrorCode::AccessDenied, "the last of all");
        let forced = RemoveSlotOptions { force: Some(true) };
        assert_eq!(code(root.remove_slot(tpm, &forced)), ErrorCode::AccessDenied, "not even by force");
        let recovery = root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
        assert_eq!(code(root.remove_slot(recovery, &defaults())), ErrorCode::AccessDenied);
        root.remove_slot(recovery, &forced).unwrap();
        assert_eq!(kinds(&root), ["tpm2"]);
        assert_eq!(code(root.remove_slot(recovery, &defaults())), ErrorCode::InvalidArgs, "it is gone");
    }

    fn a_removed_slot_opens_nothing(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
        let passphrase = root.add_slot("passphrase", &[9; 32], &passphrase_options()).unwrap();
        root.remove_slot(passphrase, &defaults()).unwrap();
        root.seal().unwrap();
        assert_eq!(code(root.unseal(&[9; 32], &defaults())), ErrorCode::AccessDenied);
        root.unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
    }

    fn slots_that_make_no_sense_are_refused(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        let weak = AddSlotOptions { params: Some("$argon2id$v=19$m=8,t=1,p=1".into()), ..passphrase_options() };
        let answers = [
            code(root.add_slot("yubikey", &[1; 32], &defaults())),
            code(root.add_slot("", &[], &defaults())),
            code(root.add_slot("recovery", &[1; 31], &defaults())),
            code(root.add_slot("recovery", &[0; 32], &defaults())),
            code(root.add_slot("recovery", &[], &defaults())),
            code(root.add_slot("passphrase", &[1; 32], &defaults())),
            code(root.add_slot("passphrase", &[1; 32], &weak)),
            code(root.add_slot("tpm2", &[1; 32], &defaults())),
        ];
        assert_eq!(answers, [ErrorCode::InvalidArgs; 8]);
        assert_eq!(kinds(&root), ["tpm2"]);
    }

    fn unsealing_with_nonsense_is_refused_and_leaves_it_sealed(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
        root.seal().unwrap();
        assert_eq!(code(root.unseal(&[1; 32], &defaults())), ErrorCode::AccessDenied);
        assert_eq!(code(root.unseal(&[1; 5], &defaults())), ErrorCode::InvalidArgs);
        assert_eq!(code(root.unseal(&RECOVERY_PRIVATE, &UnsealOptions { slot: Some(77) })), ErrorCode::InvalidArgs);
        assert_eq!(root.status().unwrap().state, "sealed");
        assert_eq!(code(root.seal()), ErrorCode::Sealed, "it is sealed already");
        root.unseal(&RECOVERY_PRIVATE, &UnsealOptions { slot: Some(2) }).unwrap();
        assert_eq!(root.status().unwrap().state, "serving");
    }
}

#[test]
fn a_vault_sealed_by_hand_opens_at_the_next_start() {
    let mut vault = Vault::start();
    vault.client(ROOT, Door::Socket).seal().unwrap();
    vault.restart();
    vault.wait_for_state("serving");
}

#[test]
fn a_host_key_that_cannot_be_read_is_named() {
    let vault = Vault::builder().without_tpm().allow_host_key().start();
    let root = vault.client(ROOT, Door::Socket);
    root.add_slot("host-key", &[], &defaults()).unwrap();
    std::fs::remove_file(vault.state_directory().join("host.key")).unwrap();
    root.seal().unwrap();
    let refused = refused(root.unseal(&[], &defaults()));
    assert_eq!(refused.code(), ErrorCode::Sealed);
    for text in [refused.to_string(), root.status().unwrap().reason] {
        assert!(text.contains("host.key"), "{text}");
    }
}

#[test]
fn a_host_key_opens_a_machine_without_a_tpm_only_where_it_is_allowed() {
    let mut vault = Vault::builder().without_tpm().allow_host_key().start();
    vault.wait_for_state("uninitialised");
    vault.client(ROOT, Door::Socket).add_slot("host-key", &[], &defaults()).unwrap();
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
    let status = vault.status();
    assert!(status.disk_theft.contains("NOT protected"), "{}", status.disk_theft);
    vault.restart();
    assert_eq!(vault.wait_for_state("serving").protection, "host-key");
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"v");

    vault.settings().allow_host_key = false;
    vault.restart();
    let status = vault.wait_for_state("sealed");
    assert!(status.reason.contains("allow-host-key"), "{}", status.reason);
}

#[test]
fn a_host_key_is_refused_where_it_is_not_allowed() {
    let vault = Vault::builder().without_tpm().start();
    vault.wait_for_state("uninitialised");
    let root = vault.client(ROOT, Door::Socket);
    let error = refused(root.add_slot("host-key", &[], &defaults()));
    assert!(error.to_string().contains("allow-host-key"), "{error}");
    assert_eq!(root.status().unwrap().state, "uninitialised");
}

#[test]
fn a_passphrase_makes_a_vault_without_a_tpm_and_opens_it_by_hand() {
    let mut vault = Vault::builder().without_tpm().start();
    vault.wait_for_state("uninitialised");
    vault.client(ROOT, Door::Socket).add_slot("passphrase", &[9; 32], &passphrase_options()).unwrap();
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
    vault.restart();
    vault.wait_for_state("sealed");
    vault.client(ROOT, Door::Socket).unseal(&[9; 32], &defaults()).unwrap();
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"v");
}
