//! S6: a TPM that is late, gone, cleared or another one. The vault says which, and the recovery key opens it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tokenvault_tests::proof;

use crate::common::*;

/// The longest any of this may take, as an administrator would wait.
const AIM: Duration = Duration::from_secs(10);

/// A vault with a token of alice's and a confirmed recovery key.
pub fn vault_with_recovery() -> Vault {
    let vault = Vault::start();
    let root = vault.client(ROOT, Door::Socket);
    root.add_slot("recovery", &RECOVERY_PUBLIC, &defaults()).unwrap();
    root.confirm_recovery(&RECOVERY_PRIVATE).unwrap();
    vault.client(ALICE, Door::Socket).put("t", b"kept", &defaults()).unwrap();
    vault
}

fn assert_sealed_for(vault: &Vault, reason: &str) {
    let status = vault.wait_for_state("sealed");
    assert!(status.reason.contains(reason), "{status:?}");
    assert!(!status.next_step.is_empty() && status.protection.is_empty(), "{status:?}");
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(code(alice.get("t", &defaults())), ErrorCode::Sealed);
    assert_eq!(code(alice.put("t", b"v", &defaults())), ErrorCode::Sealed);
    assert_eq!(code(alice.list(&defaults())), ErrorCode::Sealed);
    let root = vault.client(ROOT, Door::Socket);
    assert!(!root.slots().unwrap().is_empty(), "slots are shown while sealed");
}

fn recover(vault: &Vault) {
    let root = vault.client(ROOT, Door::Socket);
    let wrong = [7; 32];
    assert_eq!(code(root.unseal(&wrong, &defaults())), ErrorCode::AccessDenied);
    root.unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
    let status = vault.wait_for_state("serving");
    assert_eq!(status.protection, "recovery");
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"kept");
}

/// What an administrator is told of what became of the TPM, and how long it took until that had come to a good end.
fn show(what: &str, told: &str, end: &str, begun: Instant) {
    let took = begun.elapsed();
    assert!(took < AIM, "{what}: {took:?}");
    proof("S6", &format!("{what}: {told}, {end} in {:.1} s", took.as_secs_f64()));
}

/// A worker that gives one answer, in the wire format of the real one: a failure without text.
pub fn worker_that_fails_with(vault: &Vault, failure: u8) -> std::path::PathBuf {
    // The request is read whole: what is left of it would break the connection before the answer is read.
    let read = "dd bs=8192 count=1 of=/dev/null 2>/dev/null";
    script(vault, &format!("{read}\nprintf '\\000\\000\\000\\005\\001\\377\\00{failure}\\000\\000' >&0\n"))
}

pub fn script(vault: &Vault, text: &str) -> std::path::PathBuf {
    let (new, path) = (vault.path().join("worker.new"), vault.path().join("worker"));
    fs::write(&new, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    // The one before may just be begun, and cannot be written then.
    fs::rename(new, &path).unwrap();
    path
}

#[test]
fn the_vault_opens_unattended() {
    let mut vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"kept", &defaults()).unwrap();
    let begun = Instant::now();
    vault.restart();
    let status = vault.wait_for_state("serving");
    assert!(begun.elapsed() < AIM);
    assert_eq!(status.protection, "tpm2");
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"kept");
}

#[test]
fn five_power_cuts_do_not_lock_the_tpm() {
    let mut vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"kept", &defaults()).unwrap();
    for _ in 0..5 {
        vault.kill_daemon();
        vault.tpm().cut();
        vault.start_tpm();
        vault.start_daemon();
        vault.wait_for_state("serving");
    }
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"kept");
}

#[test]
fn a_cleared_tpm_is_told_and_the_recovery_key_opens() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.tpm().clear();
    let begun = Instant::now();
    vault.start_daemon();
    assert_sealed_for(&vault, "WrongTpm");
    recover(&vault);
    show("cleared", "WrongTpm", "recovered", begun);
}

#[test]
fn another_tpm_is_told_and_the_recovery_key_opens() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.swap_tpm();
    let begun = Instant::now();
    vault.start_daemon();
    assert_sealed_for(&vault, "WrongTpm");
    let root = vault.client(ROOT, Door::Socket);
    assert_eq!(code(root.unseal(&[], &defaults())), ErrorCode::WrongTpm);
    recover(&vault);
    show("another TPM", "WrongTpm", "recovered", begun);
    // The vault moves to this machine's TPM and opens unattended from now on.
    let root = vault.client(ROOT, Door::Socket);
    let old = root.slots().unwrap().into_iter().find(|slot| slot.kind == "tpm2").unwrap();
    root.add_slot("tpm2", &[], &defaults()).unwrap();
    root.remove_slot(old.id, &defaults()).unwrap();
    vault.restart();
    assert_eq!(vault.wait_for_state("serving").protection, "tpm2");
}

#[test]
fn a_tpm_that_serves_another_vault_is_another_tpm() {
    let (mut vault, mut other) = (vault_with_recovery(), Vault::start());
    vault.stop_daemon();
    other.stop_daemon();
    // Both have a storage root key, and both keys look alike but for their names.
    vault.exchange_tpm_with(&mut other);
    vault.start_daemon();
    other.start_daemon();
    assert_sealed_for(&vault, "WrongTpm");
    assert_sealed_for(&other, "WrongTpm");
    recover(&vault);
}

#[test]
fn without_its_tpm_the_vault_stays_sealed_until_it_comes() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    assert_sealed_for(&vault, "NoTpm");
    let root = vault.client(ROOT, Door::Socket);
    assert_eq!(code(root.unseal(&[], &defaults())), ErrorCode::NoTpm);
    vault.start_tpm();
    assert_eq!(vault.wait_for_state("serving").protection, "tpm2", "it opens by itself");
    assert_eq!(vault.client(ALICE, Door::Socket).get("t", &defaults()).unwrap().data(), b"kept");
}

#[test]
fn a_vault_that_was_sealed_by_hand_opens_when_its_tpm_comes_back_once_that_was_asked() {
    let mut vault = vault_with_recovery();
    let root = vault.client(ROOT, Door::Socket);
    root.seal().unwrap();
    vault.stop_tpm();
    assert_eq!(code(root.unseal(&[], &defaults())), ErrorCode::NoTpm);
    assert!(root.status().unwrap().next_step.contains("tried again by itself"));
    vault.start_tpm();
    assert_eq!(vault.wait_for_state("serving").protection, "tpm2");
}

#[test]
fn without_its_tpm_the_recovery_key_opens() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.stop_tpm();
    vault.start_daemon();
    assert_sealed_for(&vault, "NoTpm");
    recover(&vault);
}

#[test]
fn a_first_start_without_a_tpm_waits_for_one() {
    let mut vault = Vault::builder().without_tpm().start();
    let status = vault.wait_for_state("uninitialised");
    assert!(!status.reason.is_empty() && !status.next_step.is_empty(), "{status:?}");
    let alice = vault.client(ALICE, Door::Socket);
    assert_eq!(code(alice.put("t", b"v", &defaults())), ErrorCode::Sealed);
    assert_eq!(alice.status().unwrap().vault_id, "");
    vault.start_tpm();
    assert_eq!(vault.wait_for_state("serving").protection, "tpm2", "it makes the vault by itself");
    alice.put("t", b"v", &defaults()).unwrap();
}

#[test]
fn an_open_vault_does_not_need_the_tpm() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &defaults()).unwrap();
    vault.stop_tpm();
    let begun = Instant::now();
    assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
    alice.put("t", b"w", &defaults()).unwrap();
    let root = vault.client(ROOT, Door::Socket);
    let error = refused(root.add_slot("tpm2", &[], &defaults()));
    assert_eq!(error.code(), ErrorCode::NoTpm);
    assert_helpful(&error);
    assert_eq!(vault.status().state, "serving");
    show("gone while running", "NoTpm", "told and still serving", begun);
}

#[test]
fn a_worker_that_hangs_is_ended_in_time() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().worker = Some(script(&vault, "exec sleep 1000\n"));
    let begun = Instant::now();
    vault.start_daemon();
    let status = wait::until("the worker's deadline", || {
        Some(vault.status()).filter(|status| status.reason.contains("Timeout"))
    });
    assert_eq!(status.state, "sealed");
    show("worker hangs", "Timeout", "told", begun);
    let begun = Instant::now();
    recover(&vault);
    show("worker hangs", "Timeout", "recovered", begun);
}

#[test]
fn a_worker_that_dies_is_said_so() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().worker = Some(script(&vault, "kill -9 $$\n"));
    vault.start_daemon();
    assert_sealed_for(&vault, "Failed");
    recover(&vault);
}

#[test]
fn a_tpm_in_lockout_is_told() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().worker = Some(worker_that_fails_with(&vault, 4));
    let begun = Instant::now();
    vault.start_daemon();
    assert_sealed_for(&vault, "TpmLockout");
    let error = refused(vault.client(ROOT, Door::Socket).unseal(&[], &defaults()));
    assert_eq!(error.code(), ErrorCode::TpmLockout);
    assert_helpful(&error);
    recover(&vault);
    show("lockout", "TpmLockout", "recovered", begun);
}

#[test]
fn another_measured_state_is_told() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    vault.settings().worker = Some(worker_that_fails_with(&vault, 3));
    vault.start_daemon();
    assert_sealed_for(&vault, "PolicyMismatch");
    let error = refused(vault.client(ROOT, Door::Socket).unseal(&[], &defaults()));
    assert_eq!(error.code(), ErrorCode::PolicyMismatch);
    assert_helpful(&error);
    recover(&vault);
}

#[test]
fn a_damaged_slot_is_told() {
    let mut vault = vault_with_recovery();
    vault.stop_daemon();
    let store = rusqlite::Connection::open(vault.state_directory().join("vault.db")).unwrap();
    store.execute("UPDATE slot SET wrapped_vk = zeroblob(length(wrapped_vk)) WHERE kind = 'tpm2'", []).unwrap();
    store.close().unwrap();
    vault.start_daemon();
    assert_sealed_for(&vault, "DamagedSlot");
    let error = refused(vault.client(ROOT, Door::Socket).unseal(&[], &defaults()));
    assert_eq!(error.code(), ErrorCode::DamagedSlot);
    assert_helpful(&error);
}
