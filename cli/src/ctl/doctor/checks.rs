//! The checks, one function each.

use super::facts::{Answers, Facts};
use super::{Finding, Verdict};
use crate::output::{bytes, span};

/// Before this the first release did not exist: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;
/// After this X.509 and file systems stop counting: 2038-01-19.
const LATEST: u64 = 2_147_483_647;
/// Part of a quota, in percent, from which it is nearly used up.
const NEARLY_FULL: u128 = 90;

/// What a check says: verdict, what was found, what to do.
type Answer = (Verdict, String, &'static str);

/// A check of facts of the kind `F`, under its name.
type Check<F, A> = (&'static str, fn(&F) -> A);

/// Checks that need only this machine.
const OF_THE_MACHINE: &[Check<Facts, Option<Answer>>] =
    &[("reachable", reachable), ("socket", socket), ("clock", clock)];
/// Checks that need the daemon's answer.
const OF_THE_DAEMON: &[Check<Answers, Answer>] = &[
    ("door", door),
    ("state", state),
    ("protection", protection),
    ("recovery", recovery),
    ("quota", quota),
    ("health", health),
];

/// Everything that can be checked.
pub fn run_all(facts: &Facts) -> Vec<Finding> {
    let of_the_machine = OF_THE_MACHINE.iter().filter_map(|(name, check)| Some(finding(name, check(facts)?)));
    let of_the_daemon = facts
        .answers
        .iter()
        .flat_map(|answers| OF_THE_DAEMON.iter().map(move |(name, check)| finding(name, check(answers))));
    of_the_machine.chain(of_the_daemon).collect()
}

fn finding(check: &'static str, (result, message, fix): Answer) -> Finding {
    Finding { check, result, message, fix: fix.to_owned() }
}

fn ok(message: impl Into<String>) -> Answer {
    (Verdict::Ok, message.into(), "")
}

fn reachable(facts: &Facts) -> Option<Answer> {
    Some(match &facts.answers {
        Ok(answers) => ok(format!("the daemon answers, up for {}", span(answers.health.uptime))),
        Err(why) => (Verdict::Failed, why.clone(), "systemctl status tokenvaultd"),
    })
}

fn socket(facts: &Facts) -> Option<Answer> {
    const MEND: &str = "systemd-tmpfiles --create && systemctl restart tokenvaultd";
    let socket = facts.socket.as_ref()?;
    let path = socket.path.display();
    Some(match &socket.entry {
        Err(why) => (Verdict::Warning, format!("{path}: {why}"), "systemctl start tokenvaultd.socket"),
        Ok(entry) if !entry.is_socket => (Verdict::Failed, format!("{path} is not a socket"), MEND),
        Ok(entry) if entry.directory_mode & 0o022 != 0 && entry.directory_mode & 0o1000 == 0 => {
            (Verdict::Failed, format!("others can write to the directory of {path}"), MEND)
        }
        Ok(entry) if entry.mode & 0o666 != 0o666 => {
            (Verdict::Warning, format!("{path} has mode {:04o}, and not all users reach it", entry.mode), MEND)
        }
        Ok(_) => ok(path.to_string()),
    })
}

fn clock(facts: &Facts) -> Option<Answer> {
    Some(if (EARLIEST..LATEST).contains(&facts.now) {
        ok("the clock is plausible")
    } else {
        (Verdict::Failed, "the clock is wrong, and expiry with it".to_owned(), "timedatectl set-ntp true")
    })
}

fn door(answers: &Answers) -> Answer {
    match answers.me.door.as_str() {
        "socket" => ok("the private socket"),
        door => (Verdict::Warning, format!("{door}: it works, at a lower speed"), "systemctl start tokenvaultd.socket"),
    }
}

fn state(answers: &Answers) -> Answer {
    let status = &answers.status;
    let message =
        if status.reason.is_empty() { status.state.clone() } else { format!("{}: {}", status.state, status.reason) };
    match status.state.as_str() {
        "serving" => ok(message),
        "starting" => (Verdict::Warning, message, "tokenvaultctl status"),
        "uninitialised" => (Verdict::Failed, message, "tokenvaultctl init"),
        "sealed" => (Verdict::Failed, message, "tokenvaultctl unseal"),
        "read-only" => (Verdict::Failed, message, "df /var/lib/tokenvault; journalctl -u tokenvaultd"),
        _ => (Verdict::Failed, message, "journalctl -u tokenvaultd"),
    }
}

fn protection(answers: &Answers) -> Answer {
    match answers.status.protection.as_str() {
        "" => (Verdict::Warning, "the vault is not open".to_owned(), "tokenvaultctl status"),
        "host-key" => (
            Verdict::Warning,
            "host-key: a stolen disk gives everything away".to_owned(),
            "tokenvaultctl slot add tpm2",
        ),
        "recovery" => (
            Verdict::Warning,
            "recovery: the vault does not open by itself after a restart".to_owned(),
            "tokenvaultctl slot add tpm2",
        ),
        kind => ok(kind),
    }
}

fn recovery(answers: &Answers) -> Answer {
    if answers.status.recovery_confirmed {
        return ok("the recovery key is confirmed");
    }
    let message = "no confirmed recovery key: a broken TPM loses every token";
    (Verdict::Warning, message.to_owned(), "tokenvaultctl init")
}

fn quota(answers: &Answers) -> Answer {
    let status = &answers.status;
    let full = |used: u64, quota: u64| quota > 0 && u128::from(used) * 100 >= u128::from(quota) * NEARLY_FULL;
    if full(status.tokens, status.quota_tokens) || full(status.bytes, status.quota_bytes) {
        let message = format!(
            "{} of {} tokens, {} of {}",
            status.tokens,
            status.quota_tokens,
            bytes(status.bytes),
            bytes(status.quota_bytes)
        );
        return (Verdict::Warning, message, "tokenvault list; tokenvault rm NAME");
    }
    ok(format!("{} tokens, {}", status.tokens, bytes(status.bytes)))
}

fn health(answers: &Answers) -> Answer {
    let health = &answers.health;
    let parts = [("store", &health.store), ("tpm", &health.tpm), ("bus", &health.bus)];
    let message = parts.map(|(part, what)| format!("{part}: {what}")).join(", ");
    if health.ok { ok(message) } else { (Verdict::Failed, message, "journalctl -u tokenvaultd") }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokenvault_proto::{Health, Status, WhoAmI};

    use super::super::facts::{Entry, Socket};
    use super::*;

    fn healthy() -> Facts {
        let status = Status {
            state: "serving".into(),
            protection: "tpm2".into(),
            recovery_confirmed: true,
            ..Status::default()
        };
        let me = WhoAmI { door: "socket".into(), ..WhoAmI::default() };
        let health = Health { ok: true, ..Health::default() };
        let entry = Entry { is_socket: true, mode: 0o666, directory_mode: 0o755 };
        Facts {
            answers: Ok(Answers { status, me, health }),
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

    fn status(facts: &mut Facts) -> &mut Status {
        &mut facts.answers.as_mut().unwrap_or_else(|_| panic!()).status
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
}
