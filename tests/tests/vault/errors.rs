//! Every row of the error table that these operations can give, by its D-Bus name, its text and its exit status.

use crate::common::*;
use crate::tpm::{vault_with_recovery, worker_that_fails_with};

/// What an error must be, whatever gave it.
#[track_caller]
fn assert_row(error: &Error, code: ErrorCode) {
    assert_eq!(error.code(), code, "{error}");
    assert_helpful(error);
}

/// Exit status of a command.
fn exit_status(vault: &Vault, user: User, arguments: &[&str]) -> Option<i32> {
    let mut command = vault.command(user, arguments[0], Door::Socket);
    command.args(&arguments[1..]).stdin(std::process::Stdio::null()).output().unwrap().status.code()
}

fn expected(code: ErrorCode) -> Option<i32> {
    Some(i32::from(code.exit_status()))
}

#[test]
fn invalid_args() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    assert_row(&refused(alice.get("a//b", &defaults())), ErrorCode::InvalidArgs);
    assert_row(&refused(alice.put("a", b"", &defaults())), ErrorCode::InvalidArgs);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "get", "a//b"]), expected(ErrorCode::InvalidArgs));
}

#[test]
fn not_found() {
    let vault = Vault::start();
    assert_row(&refused(vault.client(ALICE, Door::Socket).get("a", &defaults())), ErrorCode::NotFound);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "get", "a"]), expected(ErrorCode::NotFound));
}

#[test]
fn access_denied() {
    let vault = Vault::start();
    assert_row(&refused(vault.client(ALICE, Door::Socket).seal()), ErrorCode::AccessDenied);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvaultctl", "seal"]), expected(ErrorCode::AccessDenied));
}

#[test]
fn exists_and_conflict() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("a", b"v", &defaults()).unwrap();
    let create = PutOptions { mode: Some("create".into()), ..defaults() };
    assert_row(&refused(alice.put("a", b"v", &create)), ErrorCode::Exists);
    let outdated = PutOptions { expect_version: Some(7), ..defaults() };
    assert_row(&refused(alice.put("a", b"v", &outdated)), ErrorCode::Conflict);
    let create = ["tokenvault", "generate", "a", "--mode", "create"];
    assert_eq!(exit_status(&vault, ALICE, &create), expected(ErrorCode::Exists));
    let outdated = ["tokenvault", "generate", "a", "--expect-version", "7"];
    assert_eq!(exit_status(&vault, ALICE, &outdated), expected(ErrorCode::Conflict));
}

#[test]
fn sealed() {
    let vault = Vault::start();
    vault.client(ROOT, Door::Socket).seal().unwrap();
    assert_row(&refused(vault.client(ALICE, Door::Socket).get("a", &defaults())), ErrorCode::Sealed);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "get", "a"]), expected(ErrorCode::Sealed));
}

#[test]
fn locked() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    let login = PutOptions { class: Some("login".into()), ..defaults() };
    assert_row(&refused(alice.put("a", b"v", &login)), ErrorCode::Locked);
    let generate = ["tokenvault", "generate", "a", "--class", "login"];
    assert_eq!(exit_status(&vault, ALICE, &generate), expected(ErrorCode::Locked));
}

#[test]
fn quarantined() {
    let mut vault = Vault::start();
    vault.stop_daemon();
    std::fs::write(vault.state_directory().join("vault.db"), "nothing of ours").unwrap();
    vault.start_daemon();
    vault.wait_for_state("quarantined");
    assert_row(&refused(vault.client(ALICE, Door::Socket).get("a", &defaults())), ErrorCode::Quarantined);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "get", "a"]), expected(ErrorCode::Quarantined));
}

#[test]
fn limits_exceeded() {
    let vault = Vault::builder().limit("tokens", 1).start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("a", b"v", &defaults()).unwrap();
    assert_row(&refused(alice.generate("b", &defaults())), ErrorCode::LimitsExceeded);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "generate", "b"]), expected(ErrorCode::LimitsExceeded));
}

#[test]
fn unavailable() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    vault.stop_daemon();
    assert_row(&refused(alice.get("a", &defaults())), ErrorCode::Unavailable);
    assert_eq!(exit_status(&vault, ALICE, &["tokenvault", "get", "a"]), expected(ErrorCode::Unavailable));
    let address = vault.address(Door::Bus);
    let nobody_there = ALICE.run(|| Client::open(Some(&address)).and_then(|client| client.status()));
    assert_row(&refused(nobody_there), ErrorCode::Unavailable);
}

#[test]
fn timeout() {
    let mut vault = Vault::start();
    let mut alice = vault.client(ALICE, Door::Socket);
    alice.set_deadline(Duration::from_millis(200));
    vault.daemon().process().stop();
    assert_row(&refused(alice.get("a", &defaults())), ErrorCode::Timeout);
    vault.daemon().process().go_on();
}
/// A worker that is not there, and a program that is not the worker: administrators get the TPM layer's own words.
#[test]
fn failed() {
    let mut vault = vault_with_recovery();
    for (worker, words) in [
        ("/nonexistent/worker", "cannot start /nonexistent/worker: No such file or directory"),
        ("/bin/true", "the TPM worker gave no answer (exit status: 0)"),
    ] {
        vault.settings().worker = Some(worker.into());
        vault.restart();
        vault.wait_for_state("sealed");
        let root = vault.client(ROOT, Door::Socket);
        root.unseal(&RECOVERY_PRIVATE, &defaults()).unwrap();
        let error = refused(root.add_slot("tpm2", &[], &defaults()));
        assert_row(&error, ErrorCode::Failed);
        assert!(error.to_string().contains(words), "{error}");
        let add = ["tokenvaultctl", "slot", "add", "tpm2"];
        assert_eq!(exit_status(&vault, ROOT, &add), expected(ErrorCode::Failed));
        assert_eq!(vault.status().state, "serving", "nothing else is lost");
    }
}

/// What the worker can answer; the same from real TPMs: `tpm`.
#[test]
fn no_tpm_wrong_tpm_policy_mismatch_tpm_lockout_and_damaged_slot() {
    let mut vault = vault_with_recovery();
    let answers = [
        (1, ErrorCode::NoTpm),
        (2, ErrorCode::WrongTpm),
        (3, ErrorCode::PolicyMismatch),
        (4, ErrorCode::TpmLockout),
        (5, ErrorCode::DamagedSlot),
    ];
    for (answer, code) in answers {
        vault.settings().worker = Some(worker_that_fails_with(&vault, answer));
        vault.restart();
        vault.wait_for_state("sealed");
        let error = refused(vault.client(ROOT, Door::Socket).unseal(&[], &defaults()));
        assert_row(&error, code);
        assert_eq!(exit_status(&vault, ROOT, &["tokenvaultctl", "unseal"]), expected(code));
    }
}
// InteractiveAuthorizationRequired comes from polkit: see `consent`. Every other row is above.
