//! S4: a store that somebody puts back from a copy does not open, on a real TPM's counter; and nobody is locked out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokenvault_tests::proof;

use crate::common::*;
use crate::run::*;
use crate::tpm::vault_with_recovery;

/// One whose counter is raised at once.
fn anchored() -> Vault {
    let vault = Vault::builder().counts_at_once().start();
    let root = vault.client(ROOT, Door::Socket);
    root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
    // What was confirmed is known to the TPM once nothing is left to be counted.
    wait_until_counted(&vault);
    vault
}

/// Has the counter raised for something that was taken away, and waits for that.
fn wait_until_counted(vault: &Vault) {
    let root = vault.client(ROOT, Door::Socket);
    let before = root.status().unwrap().anchor_raises;
    root.put("gone", b"1", &defaults()).unwrap();
    root.delete("gone", &defaults()).unwrap();
    wait::until("the counter to be raised", || {
        let status = root.status().unwrap();
        (status.anchor == "held" && status.anchor_raises > before).then_some(())
    });
}

/// A copy of the store of a daemon that does not run.
fn copied(vault: &Vault, name: &str) -> PathBuf {
    let copy = vault.path().join(name);
    copy_files(&vault.state_directory(), &copy);
    copy
}

fn put_back(vault: &Vault, copy: &Path) {
    let state = vault.state_directory();
    for file in fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        fs::remove_file(file).unwrap();
    }
    copy_files(copy, &state);
}

/// With owners and modes, as somebody does who has the disk.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let status = Command::new("cp").args(["-a", "--"]).arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

/// Starts the daemon over a store that was put back.
fn start_over(vault: &mut Vault, copy: &Path, state: &str) {
    vault.stop_daemon();
    put_back(vault, copy);
    vault.start_daemon();
    vault.wait_for_state(state);
}

through_both_doors! {
    fn a_store_that_was_put_back_is_out_of_service_until_somebody_with_the_recovery_key_takes_it(door) {
        let mut vault = anchored();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"old", &defaults()).unwrap();
        drop(alice);
        vault.stop_daemon();
        let copy = copied(&vault, "copy");
        vault.start_daemon();
        vault.wait_for_state("serving");
        vault.client(ALICE, door).put("t", b"new", &defaults()).unwrap();
        start_over(&mut vault, &copy, "quarantined");
        let status = vault.client(ROOT, door).status().unwrap();
        assert!(status.reason.contains("older than the TPM remembers"), "{status:?}");
        assert!(status.next_step.contains("tokenvaultctl recover"), "{status:?}");
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::Quarantined);
        assert_eq!(code(root.unseal(&RECOVERY_PRIVATE, &defaults())), ErrorCode::Quarantined);
        assert_eq!(code(alice.recover(&RECOVERY_PRIVATE)), ErrorCode::AccessDenied);
        assert_eq!(code(root.recover(&[9; 32])), ErrorCode::AccessDenied);
        assert_eq!(root.recover(&RECOVERY_PRIVATE).unwrap(), 1);
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"old");
        wait::until("the counter to be adopted", || (root.status().unwrap().anchor == "held").then_some(()));
        assert_eq!(code(root.recover(&RECOVERY_PRIVATE)), ErrorCode::InvalidArgs, "there is nothing to recover from");
        drop((root, alice));
        vault.restart();
        assert_eq!(vault.wait_for_state("serving").protection, "tpm2");
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"old");
        start_over(&mut vault, &copy, "quarantined");
    }

    fn what_was_taken_back_does_not_come_again_with_a_copy_of_the_disk(door) {
        let mut vault = anchored();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"shared", &defaults()).unwrap();
        alice.share("t", &format!("uid:{}", BOB.uid), &defaults()).unwrap();
        drop(alice);
        vault.kill_daemon();
        let copy = copied(&vault, "copy");
        vault.start_daemon();
        vault.wait_for_state("serving");
        wait_until_counted(&vault);
        let root = vault.client(ROOT, door);
        let before = root.status().unwrap().anchor_raises;
        vault.client(ALICE, door).unshare("t", &format!("uid:{}", BOB.uid), &defaults()).unwrap();
        wait::until("the counter to be raised", || (root.status().unwrap().anchor_raises > before).then_some(()));
        drop(root);
        // A crash is no clean stop: nothing is counted at the end.
        vault.kill_daemon();
        put_back(&vault, &copy);
        vault.start_daemon();
        vault.wait_for_state("quarantined");
    }

    fn a_vault_that_no_tpm_opens_says_that_old_copies_are_not_noticed(door) {
        let vault = Vault::builder().without_tpm().allow_host_key().start();
        let root = vault.client(ROOT, door);
        root.add_slot("host-key", &[], &defaults()).unwrap();
        let status = vault.wait_for_state("serving");
        assert_eq!((status.anchor.as_str(), status.anchor_raises), ("none", 0));
    }
}

/// Stores a value, and takes something away, after which the counter is raised.
fn store_and_take_away(vault: &Vault, value: u8) {
    let root = vault.client(ROOT, Door::Socket);
    root.put("t", &[value], &defaults()).unwrap();
    root.put("gone", b"1", &defaults()).unwrap();
    root.delete("gone", &defaults()).unwrap();
}

/// The power is back.
fn assert_opens_again(vault: &mut Vault, value: u8) {
    vault.start_tpm();
    vault.start_daemon();
    let status = vault.wait_for_state("serving");
    assert_eq!(status.anchor, "held", "round {value}: {}", vault.log());
    assert_eq!(vault.client(ROOT, Door::Socket).get("t", &defaults()).unwrap().data(), [value]);
}

#[test]
fn a_machine_whose_power_goes_between_store_and_tpm_opens_its_own_store_again() {
    let mut vault = anchored();
    for round in 0..3 {
        vault.tpm().stop();
        store_and_take_away(&vault, round);
        let root = vault.client(ROOT, Door::Socket);
        wait::until("a count that the TPM lacks", || (root.status().unwrap().anchor == "pending").then_some(()));
        drop(root);
        vault.kill_daemon();
        assert_opens_again(&mut vault, round);
    }
}

#[test]
fn a_machine_whose_power_goes_while_it_counts_opens_its_own_store_again() {
    let (mut vault, mut opened) = (anchored(), 0);
    for round in 0..8 {
        // Somewhere on its way between the two.
        store_and_take_away(&vault, round);
        vault.kill_daemon();
        // With what a worker that was killed has left in it.
        vault.tpm().cut();
        assert_opens_again(&mut vault, round);
        opened += 1;
    }
    proof("S4", &format!("on a software TPM {opened} power cuts while it counted, each opened again"));
}

#[test]
fn a_counter_that_cannot_be_raised_is_told_of_and_the_vault_goes_on() {
    let mut vault = anchored();
    vault.client(ALICE, Door::Socket).put("t", b"1", &defaults()).unwrap();
    vault.stop_tpm();
    vault.client(ALICE, Door::Socket).delete("t", &defaults()).unwrap();
    let root = vault.client(ROOT, Door::Socket);
    wait::until("the fault to be told", || (root.status().unwrap().anchor == "pending").then_some(()));
    let status = root.status().unwrap();
    assert!(status.state == "serving" && status.reason.contains("would not be noticed"), "{status:?}");
    let told = run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "doctor"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("anchor"), "{told:?}");
    vault.start_tpm();
    vault.restart();
    assert_eq!(vault.wait_for_state("serving").anchor, "held");
}

#[test]
fn while_the_tpm_cannot_be_asked_no_other_slot_but_recovery_opens() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().allow_host_key = true;
    vault.start_daemon();
    vault.wait_for_state("serving");
    vault.client(ROOT, Door::Socket).add_slot("host-key", &[], &defaults()).unwrap();
    vault.stop_tpm();
    vault.restart();
    let status = vault.wait_for_state("sealed");
    assert!(status.reason.contains("for the TPM to say"), "{status:?}");
    vault.client(ROOT, Door::Socket).unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
    assert_eq!(vault.wait_for_state("serving").anchor, "pending");
    vault.restart();
    vault.wait_for_state("sealed");
    vault.start_tpm();
    assert_eq!(vault.wait_for_state("serving").anchor, "held");
}

#[test]
fn the_command_takes_the_key_from_a_file_and_says_what_is_left() {
    let mut vault = Vault::builder().counts_at_once().start();
    let key = vault.path().join("key");
    let key = key.to_str().unwrap();
    let ask = |vault: &Vault, args: &[&str]| run(vault, ROOT, Door::Socket, &[&["tokenvaultctl"], args].concat());
    assert!(ask(&vault, &["init", "--recovery-out", key, "--confirm-from", key]).status.success());
    let told = ask(&vault, &["recover", "--from-file", key]);
    assert_eq!(told.status.code(), Some(2), "there is nothing to recover from: {told:?}");
    vault.client(ALICE, Door::Socket).put("t", b"old", &defaults()).unwrap();
    wait_until_counted(&vault);
    vault.stop_daemon();
    let copy = copied(&vault, "copy");
    vault.start_daemon();
    vault.wait_for_state("serving");
    start_over(&mut vault, &copy, "quarantined");
    let told = ask(&vault, &["recover", "--from-file", "/nonexistent"]);
    assert!(!told.status.success() && String::from_utf8_lossy(&told.stderr).contains("/nonexistent"), "{told:?}");
    let told = ask(&vault, &["recover", "--from-file", key]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(String::from_utf8_lossy(&told.stdout), "the vault serves again, with 1 tokens\n");
    let told = ask(&vault, &["audit", "list", "--json=short"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("\"RecoverVault\""), "{told:?}");
    assert!(vault.log().contains("the store was taken as it is, with 1 tokens"), "{}", vault.log());
}
