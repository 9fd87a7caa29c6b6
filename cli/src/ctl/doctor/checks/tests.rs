//! Each fault is found by its check, and no other check cries.

use std::path::PathBuf;

use tokenvault_proto::{CLOCK_HOLDS_BACK, DeletionInfo, Health, Status, UserInfo, WhoAmI};

use super::super::super::config::Judgement;
use super::super::facts::{Entry, Records, Silence, Socket};
use super::super::installed::{Installed, Policy, Space};
use super::super::modes::Exposed;
use super::*;

fn healthy() -> Facts {
    let status = Status {
        state: "serving".into(),
        protection: "tpm2".into(),
        recovery_confirmed: true,
        vault_id: "00".into(),
        anchor: "held".into(),
        ..Status::default()
    };
    let me = WhoAmI { door: "socket".into(), ..WhoAmI::default() };
    let [store, tpm, bus, memory, clock, groups] = std::array::from_fn(|_| "ok".to_owned());
    let health = Health { ok: true, store, tpm, bus, memory, clock, groups, uptime: 0 };
    let socket = |path: &str, mode| {
        let entry = Entry { is_socket: true, mode, owner: 0, directory_mode: 0o755 };
        let unit = if path.ends_with("bus") { "tokenvaultd.socket" } else { "tokenvault-credentials.socket" };
        Some(Socket { path: PathBuf::from(path), entry: Ok(entry), unit: Some(unit) })
    };
    Facts {
        answers: Ok(Answers { status, me, health, has_tpm_slot: Some(true), records: Some(records()) }),
        socket: socket("/run/tokenvault/bus", 0o666),
        credentials: socket("/run/tokenvault/credentials", 0o600),
        installed: Some(Installed {
            bus_policy: Policy::Equal,
            polkit: Policy::Equal,
            space: Some(Space { free: 1 << 30, total: 10 << 30 }),
            exposed: Vec::new(),
            configuration: Judgement::Good,
        }),
        now: EARLIEST + 1,
    }
}

fn records() -> Records {
    let user = UserInfo { user: "alice".into(), state: "ok".into(), quota_tokens: 10, ..UserInfo::default() };
    Records { slots: Some(vec!["tpm2".into(), "recovery".into()]), users: Some(vec![user]), deletions: Ok(Vec::new()) }
}

fn told(facts: &mut Facts) -> &mut Records {
    answers(facts).records.as_mut().unwrap()
}

fn user(facts: &mut Facts) -> &mut UserInfo {
    told(facts).users.as_mut().unwrap().first_mut().unwrap()
}

fn note(user: &str, done: bool) -> DeletionInfo {
    DeletionInfo { user: user.into(), done, ..DeletionInfo::default() }
}

fn installed(facts: &mut Facts) -> &mut Installed {
    facts.installed.as_mut().unwrap()
}

fn configuration(facts: &mut Facts, judgement: Judgement) {
    installed(facts).configuration = judgement;
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

fn credentials(facts: &mut Facts) -> &mut Entry {
    facts.credentials.as_mut().unwrap().entry.as_mut().unwrap()
}

#[test]
fn a_healthy_vault_passes_every_check() {
    let findings = run_all(&healthy());
    // Of a caller that is answered there is nothing to say.
    assert_eq!(findings.len(), OF_THE_MACHINE.len() - 1 + OF_THE_DAEMON.len() + OF_THE_VAULT.len());
    assert!(findings.iter().all(|finding| finding.result == Verdict::Ok && finding.fix.is_empty()));
}

#[test]
fn each_fault_is_found_by_its_check() {
    let cases: Vec<(&str, Verdict, Finding)> = vec![
        ("state", Verdict::Failed, spoiled(|facts| status(facts).state = "sealed".into())),
        ("protection", Verdict::Warning, spoiled(|facts| status(facts).disk_theft = "NOT protected: x".into())),
        ("recovery", Verdict::Warning, spoiled(|facts| status(facts).recovery_confirmed = false)),
        ("lockdown", Verdict::Warning, spoiled(|facts| status(facts).lockdown = true)),
        ("anchor", Verdict::Warning, spoiled(|facts| status(facts).anchor = "pending".into())),
        ("anchor", Verdict::Warning, spoiled(|facts| status(facts).anchor = "none".into())),
        ("socket", Verdict::Failed, spoiled(|facts| entry(facts).directory_mode = 0o777)),
        ("socket", Verdict::Warning, spoiled(|facts| entry(facts).mode = 0o600)),
        ("socket", Verdict::Failed, spoiled(|facts| entry(facts).is_socket = false)),
        ("credentials", Verdict::Failed, spoiled(|facts| credentials(facts).is_socket = false)),
        ("credentials", Verdict::Failed, spoiled(|facts| credentials(facts).owner = 4200)),
        ("credentials", Verdict::Warning, spoiled(|facts| credentials(facts).mode = 0o666)),
        ("clock", Verdict::Failed, spoiled(|facts| facts.now = 0)),
        ("store", Verdict::Failed, spoiled(|facts| health(facts).store = "the disk is full".into())),
        ("bus", Verdict::Failed, spoiled(|facts| health(facts).bus = "not connected".into())),
        ("memory", Verdict::Failed, spoiled(|facts| health(facts).memory = "64 bytes are not locked".into())),
        ("groups", Verdict::Warning, spoiled(|facts| health(facts).groups = "these do not exist: x".into())),
        ("expiry", Verdict::Failed, spoiled(|facts| health(facts).clock = "9 s behind".into())),
        ("expiry", Verdict::Warning, spoiled(|facts| health(facts).clock = CLOCK_HOLDS_BACK.into())),
        ("quotas", Verdict::Warning, spoiled(|facts| user(facts).tokens = 9)),
        ("users", Verdict::Warning, spoiled(|facts| user(facts).state = "frozen".into())),
        ("deletions", Verdict::Warning, spoiled(|facts| told(facts).deletions = Ok(vec![note("bob", false)]))),
        ("deletions", Verdict::Failed, spoiled(|facts| told(facts).deletions = Err("anybody's".into()))),
        ("bus-policy", Verdict::Failed, spoiled(|facts| installed(facts).bus_policy = Policy::Missing)),
        ("bus-policy", Verdict::Warning, spoiled(|facts| installed(facts).bus_policy = Policy::Differs("/x".into()))),
        ("polkit", Verdict::Warning, spoiled(|facts| installed(facts).polkit = Policy::Missing)),
        (
            "space",
            Verdict::Warning,
            spoiled(|facts| installed(facts).space = Some(Space { free: 1 << 20, total: 1 << 21 })),
        ),
        (
            "space",
            Verdict::Warning,
            spoiled(|facts| installed(facts).space = Some(Space { free: 1 << 30, total: 1 << 40 })),
        ),
        (
            "modes",
            Verdict::Failed,
            spoiled(|facts| installed(facts).exposed = vec![Exposed { fault: "/x".into(), mend: "chmod".into() }]),
        ),
        ("config", Verdict::Failed, spoiled(|facts| configuration(facts, Judgement::Bad("/y:1: z".into())))),
        ("config", Verdict::Warning, spoiled(|facts| configuration(facts, Judgement::Remark("no group x".into())))),
        ("config", Verdict::Warning, spoiled(|facts| configuration(facts, Judgement::Unasked("no program".into())))),
    ];
    for (check, verdict, finding) in cases {
        assert_eq!((finding.check, finding.result), (check, verdict));
    }
}

#[test]
fn what_root_is_told_of_a_closed_vault_is_unknown_and_notes_wait_for_it() {
    let mut facts = healthy();
    status(&mut facts).protection = String::new();
    *told(&mut facts) =
        Records { slots: Some(vec!["tpm2".into()]), users: None, deletions: Ok(vec![note("bob", false)]) };
    for check in ["users", "quotas"] {
        assert_eq!(found(&facts, check).message, "unknown while the vault is not open");
    }
    let deletions = found(&facts, "deletions");
    assert!(
        deletions.message.contains("frozen when it opens: bob") && deletions.fix.contains("'state'"),
        "{deletions:?}"
    );
    assert_eq!(found(&facts, "slots").message, "tpm2");
    answers(&mut facts).records = None;
    assert!(run_all(&facts).iter().all(|finding| !matches!(finding.check, "users" | "quotas" | "deletions" | "slots")));
}

#[test]
fn of_many_users_a_few_are_named() {
    let many = |facts: &mut Facts| {
        let frozen = |number| UserInfo { user: format!("u{number}"), state: "frozen".into(), ..UserInfo::default() };
        told(facts).users = Some((0..9).map(frozen).collect());
    };
    let finding = spoiled(many);
    assert!(finding.message.ends_with("u0, u1, u2, u3, u4 and 4 more"), "{finding:?}");
}

#[test]
fn the_quota_that_is_full_is_the_one_to_raise() {
    for (tokens, bytes, quota, raise) in [
        (10, 10, "the tokens of alice: ", "user set 0 --quota-tokens COUNT"),
        (1, 95, "the bytes of alice: ", "user set 0 --quota-bytes COUNT"),
        (9, 95, "the tokens and bytes of alice: ", "user set 0 --quota-tokens COUNT --quota-bytes COUNT"),
    ] {
        let finding = spoiled(|facts| {
            let user = user(facts);
            (user.tokens, user.bytes, user.quota_bytes) = (tokens, bytes, 100);
        });
        assert!(finding.fix.starts_with(quota) && finding.fix.ends_with(raise), "{finding:?}");
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
    for (code, cause, fix) in [
        (ErrorCode::Unavailable, "no vault at /x", "journalctl -u tokenvaultd"),
        (ErrorCode::Timeout, "it did not start", "journalctl -u tokenvaultd"),
        (ErrorCode::Unavailable, "/x: Permission denied", "chmod go+x"),
    ] {
        let finding = spoiled(|facts| facts.answers = Err(silence(code, cause)));
        assert_eq!((finding.check, finding.result), ("reachable", Verdict::Failed));
        assert!(finding.fix.contains(fix) && finding.message.contains(cause), "{finding:?}");
    }
}

#[test]
fn a_bad_configuration_is_told_by_its_own_check_and_is_what_to_mend_first() {
    for code in [ErrorCode::Unavailable, ErrorCode::Timeout] {
        let mut facts = healthy();
        facts.answers = Err(silence(code, "it did not start"));
        configuration(&mut facts, Judgement::Bad("/y:1: unknown field".into()));
        let (reachable, config) = (found(&facts, "reachable"), found(&facts, "config"));
        assert!(reachable.fix.contains("'config'"), "{reachable:?}");
        assert_eq!((config.result, config.message.as_str()), (Verdict::Failed, "/y:1: unknown field"));
    }
}

#[test]
fn a_configuration_that_this_caller_may_not_read_is_no_fault() {
    let mut facts = healthy();
    configuration(&mut facts, Judgement::Unreadable);
    assert_eq!(found(&facts, "config").result, Verdict::Ok);
}

fn silence(code: ErrorCode, cause: &str) -> Silence {
    Silence { code, cause: cause.into(), next: "do x".into() }
}

#[test]
fn a_daemon_that_refuses_the_caller_is_reachable() {
    let finding = spoiled(|facts| facts.answers = Err(silence(ErrorCode::AccessDenied, "uid 7 is nobody")));
    assert_eq!((finding.check, finding.result), ("caller", Verdict::Failed));
    assert_eq!((finding.message.as_str(), finding.fix.as_str()), ("uid 7 is nobody", "do x"));
}

#[test]
fn what_a_store_out_of_reach_would_say_is_unknown_and_the_daemon_says_what_to_do() {
    for state in ["quarantined", "read-only"] {
        let mut facts = healthy();
        health(&mut facts).store = "it is damaged".into();
        let (reason, next_step) = ("it is damaged".into(), "restore a backup".into());
        *status(&mut facts) = Status { state: state.into(), reason, next_step, ..Status::default() };
        assert_eq!(found(&facts, "recovery").message, format!("unknown while the vault is {state}"));
        assert_eq!(found(&facts, "store").fix, "restore a backup");
        assert_eq!(found(&facts, "state").fix, "restore a backup");
    }
    let mut facts = healthy();
    *status(&mut facts) = Status { state: "uninitialised".into(), ..Status::default() };
    assert_eq!(found(&facts, "recovery").message, "there is no vault yet");
}

#[test]
fn a_sealed_vault_asks_the_tpm_again_by_itself() {
    let mut facts = healthy();
    health(&mut facts).tpm = "NoTpm: no TPM answers".into();
    assert!(found(&facts, "tpm").fix.contains("then restart tokenvaultd"));
    status(&mut facts).state = "sealed".into();
    assert!(found(&facts, "tpm").fix.contains("tried again by itself"));
}

#[test]
fn a_vault_behind_a_bus_has_no_sockets_to_look_at() {
    let mut facts = healthy();
    (facts.socket, facts.credentials) = (None, None);
    assert!(run_all(&facts).iter().all(|finding| !matches!(finding.check, "socket" | "credentials")));
}

#[test]
fn a_socket_is_mended_by_who_made_it() {
    let spoilers: [fn(&mut Facts); 3] = [
        |facts| entry(facts).mode = 0o600,
        |facts| entry(facts).is_socket = false,
        |facts| facts.socket.as_mut().unwrap().entry = Err("No such file or directory".into()),
    ];
    for (spoil, by_hand) in spoilers.into_iter().zip(["chmod 0666 /run/tokenvault/bus", "makes it anew", "makes it"]) {
        assert_eq!(spoiled(spoil).fix, "systemctl restart tokenvaultd.socket tokenvaultd.service");
        let finding = spoiled(|facts| {
            spoil(facts);
            facts.socket.as_mut().unwrap().unit = None;
        });
        assert!(finding.fix.contains(by_hand) && !finding.fix.contains("systemctl"), "{finding:?}");
    }
    let closed = spoiled(|facts| credentials(facts).mode = 0o666);
    assert_eq!(closed.fix, "systemctl restart tokenvault-credentials.socket tokenvaultd.service");
}

#[test]
fn an_installed_vault_without_its_credentials_socket_gives_units_nothing() {
    let finding = spoiled(|facts| {
        facts.credentials.as_mut().unwrap().entry = Err("No such file or directory".into());
    });
    assert_eq!((finding.check, finding.result), ("credentials", Verdict::Warning));
    assert!(finding.message.contains("units are given no tokens"), "{finding:?}");
    assert!(finding.fix.contains("restart tokenvault-credentials.socket"), "{finding:?}");
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
fn a_sealed_vault_says_why_and_gives_the_next_step_of_the_daemon() {
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
    let expected = ("sealed: WrongTpm: this is not the TPM", "run 'tokenvaultctl unseal --recovery'");
    assert_eq!((state.message.as_str(), state.fix.as_str()), expected);
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
