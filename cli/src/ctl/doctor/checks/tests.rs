//! Each fault is found by its check, and no other check cries.

use std::path::PathBuf;

use tokenvault_proto::{Health, Status, WhoAmI};

use super::super::facts::{Entry, Socket};
use super::*;

fn healthy() -> Facts {
    let status = Status {
        state: "serving".into(),
        protection: "tpm2".into(),
        recovery_confirmed: true,
        vault_id: "00".into(),
        ..Status::default()
    };
    let me = WhoAmI { door: "socket".into(), ..WhoAmI::default() };
    let [store, tpm, bus, memory] = std::array::from_fn(|_| "ok".to_owned());
    let health = Health { ok: true, store, tpm, bus, memory, uptime: 0 };
    let entry = Entry { is_socket: true, mode: 0o666, directory_mode: 0o755 };
    Facts {
        answers: Ok(Answers { status, me, health, has_tpm_slot: Some(true) }),
        socket: Some(Socket { path: PathBuf::from("/run/tokenvault/bus"), entry: Ok(entry) }),
        now: EARLIEST + 1,
    }
}

/// The one finding that is not ok after `spoil`.
fn spoiled(spoil: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = healthy();
    spoil(&mut facts);
    let mut bad = run_all(&facts).into_iter().filter(|finding| finding.result != Verdict::Ok);
    let finding = bad.next().unwrap();
    assert_eq!(bad.next(), None);
    assert!(!finding.fix.is_empty());
    finding
}

fn answers(facts: &mut Facts) -> &mut Answers {
    facts.answers.as_mut().unwrap_or_else(|_| panic!())
}

fn status(facts: &mut Facts) -> &mut Status {
    &mut answers(facts).status
}

fn health(facts: &mut Facts) -> &mut Health {
    &mut answers(facts).health
}

/// The finding of a check.
fn found(facts: &Facts, check: &str) -> Finding {
    run_all(facts).into_iter().find(|finding| finding.check == check).unwrap()
}

fn entry(facts: &mut Facts) -> &mut Entry {
    facts.socket.as_mut().unwrap().entry.as_mut().unwrap()
}

#[test]
fn a_healthy_vault_passes_every_check() {
    let findings = run_all(&healthy());
    assert_eq!(findings.len(), OF_THE_MACHINE.len() + OF_THE_DAEMON.len());
    assert!(findings.iter().all(|finding| finding.result == Verdict::Ok && finding.fix.is_empty()));
}

#[test]
fn each_fault_is_found_by_its_check() {
    let cases: Vec<(&str, Verdict, Finding)> = vec![
        ("state", Verdict::Failed, spoiled(|facts| status(facts).state = "sealed".into())),
        ("protection", Verdict::Warning, spoiled(|facts| status(facts).protection = "host-key".into())),
        ("recovery", Verdict::Warning, spoiled(|facts| status(facts).recovery_confirmed = false)),
        ("socket", Verdict::Failed, spoiled(|facts| entry(facts).directory_mode = 0o777)),
        ("socket", Verdict::Warning, spoiled(|facts| entry(facts).mode = 0o600)),
        ("socket", Verdict::Failed, spoiled(|facts| entry(facts).is_socket = false)),
        ("clock", Verdict::Failed, spoiled(|facts| facts.now = 0)),
        ("store", Verdict::Failed, spoiled(|facts| health(facts).store = "the disk is full".into())),
        ("bus", Verdict::Failed, spoiled(|facts| health(facts).bus = "not connected".into())),
        ("memory", Verdict::Failed, spoiled(|facts| health(facts).memory = "64 bytes are not locked".into())),
    ];
    for (check, verdict, finding) in cases {
        assert_eq!((finding.check, finding.result), (check, verdict));
    }
}

#[test]
fn a_quota_is_nearly_used_up_at_nine_tenths_and_no_quota_never_is() {
    let finding = spoiled(|facts| {
        status(facts).tokens = 9;
        status(facts).quota_tokens = 10;
    });
    assert_eq!(finding.check, "quota");
    let mut facts = healthy();
    status(&mut facts).tokens = u64::MAX;
    assert!(run_all(&facts).iter().all(|finding| finding.result == Verdict::Ok));
}

#[test]
fn a_daemon_that_does_not_answer_is_one_failure() {
    let finding = spoiled(|facts| facts.answers = Err("no vault at /x; start it".into()));
    assert_eq!((finding.check, finding.result), ("reachable", Verdict::Failed));
}

#[test]
fn a_vault_behind_a_bus_has_no_socket_to_look_at() {
    let mut facts = healthy();
    facts.socket = None;
    assert!(run_all(&facts).iter().all(|finding| finding.check != "socket"));
}

#[test]
fn every_answer_of_a_tpm_that_is_needed_and_does_not_open_is_a_failure_with_its_own_next_step() {
    let mut fixes = std::collections::HashSet::new();
    for name in ["NoTpm", "WrongTpm", "PolicyMismatch", "TpmLockout", "Failed"] {
        for opened_by in ["tpm2", "recovery"] {
            for has_tpm_slot in [Some(true), None] {
                let mut facts = healthy();
                health(&mut facts).tpm = format!("{name}: it does not");
                status(&mut facts).protection = opened_by.into();
                answers(&mut facts).has_tpm_slot = has_tpm_slot;
                let tpm = found(&facts, "tpm");
                assert_eq!((tpm.result, tpm.message), (Verdict::Failed, format!("{name}: it does not")), "{opened_by}");
                fixes.insert(tpm.fix);
            }
        }
    }
    assert_eq!(fixes.len(), 5);
}

#[test]
fn a_tpm_that_no_slot_needs_is_no_fault() {
    let mut facts = healthy();
    health(&mut facts).tpm = "NoTpm: no TPM answers".into();
    status(&mut facts).protection = "passphrase".into();
    for has_tpm_slot in [Some(false), None] {
        answers(&mut facts).has_tpm_slot = has_tpm_slot;
        assert_eq!(found(&facts, "tpm").result, Verdict::Ok);
    }
    answers(&mut facts).has_tpm_slot = Some(true);
    assert_eq!(found(&facts, "tpm").result, Verdict::Failed);
}

#[test]
fn a_sealed_vault_says_once_why_and_gives_the_next_step_of_the_daemon() {
    let mut facts = healthy();
    let why = "WrongTpm: this is not the TPM";
    health(&mut facts).tpm = why.into();
    *status(&mut facts) = Status {
        state: "sealed".into(),
        reason: why.into(),
        next_step: "run 'tokenvaultctl unseal --recovery'".into(),
        recovery_confirmed: true,
        vault_id: "00".into(),
        ..Status::default()
    };
    let state = found(&facts, "state");
    assert_eq!((state.message.as_str(), state.fix.as_str()), ("sealed", "run 'tokenvaultctl unseal --recovery'"));
    assert_eq!(found(&facts, "tpm").message, why);
}

#[test]
fn a_vault_opened_by_its_recovery_key_is_told_what_the_next_start_needs() {
    let mut facts = healthy();
    status(&mut facts).protection = "recovery".into();
    assert_eq!(found(&facts, "protection").result, Verdict::Ok, "a new slot is there");
    answers(&mut facts).has_tpm_slot = Some(false);
    assert_eq!(found(&facts, "protection").fix, "tokenvaultctl slot add tpm2");
    answers(&mut facts).has_tpm_slot = Some(true);
    health(&mut facts).tpm = "NoTpm: no TPM answers".into();
    assert_eq!(found(&facts, "protection").fix, "mend what the check 'tpm' says");
}
