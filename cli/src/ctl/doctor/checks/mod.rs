//! The checks, one function each: of this machine here, of the daemon's state and of its parts in files of their own.

mod administration;
mod installed;
mod parts;
mod socket;
mod state;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use tokenvault_proto::ErrorCode;

use super::facts::{Answers, Facts};
use super::{Finding, Verdict};
use crate::output::span;

/// Before this the first release did not exist: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;
/// After this X.509 and file systems stop counting: 2038-01-19.
const LATEST: u64 = 2_147_483_647;

/// The system's words for EACCES.
const DENIED: &str = "Permission denied";
const LET_EVERYONE_IN: &str = "let everyone enter the directories of the socket: chmod go+x";

/// What a check says: verdict, what was found, what to do.
type Answer = (Verdict, String, Cow<'static, str>);

/// A check of facts of the kind `F`, under its name.
type Check<F, A> = (&'static str, fn(&F) -> A);

/// Checks that need only this machine.
const OF_THE_MACHINE: &[Check<Facts, Option<Answer>>] = &[
    ("reachable", reachable),
    ("caller", caller),
    ("socket", socket::private),
    ("credentials", socket::credentials),
    ("bus-policy", installed::bus_policy),
    ("polkit", installed::polkit),
    ("config", installed::config),
    ("space", installed::space),
    ("modes", installed::modes),
    ("clock", clock),
];
/// Checks that need the daemon's answer.
const OF_THE_DAEMON: &[Check<Answers, Answer>] = &[
    ("door", state::door),
    ("state", state::state),
    ("protection", state::protection),
    ("recovery", state::recovery),
    ("lockdown", state::lockdown),
    ("anchor", state::anchor),
    ("quota", state::quota),
    ("store", parts::store),
    ("tpm", parts::tpm),
    ("bus", parts::bus),
    ("memory", parts::memory),
];

/// Checks that also need what only root is told, or the daemon says of things around it.
const OF_THE_VAULT: &[Check<Answers, Option<Answer>>] = &[
    ("slots", administration::slots),
    ("quotas", administration::quotas),
    ("users", administration::users),
    ("deletions", administration::deletions),
    ("groups", administration::groups),
    ("expiry", administration::expiry),
];

/// Everything that can be checked.
pub fn run_all(facts: &Facts) -> Vec<Finding> {
    let of_the_machine = OF_THE_MACHINE.iter().filter_map(|(name, check)| Some(finding(name, check(facts)?)));
    let of_the_daemon = facts
        .answers
        .iter()
        .flat_map(|answers| OF_THE_DAEMON.iter().map(move |(name, check)| finding(name, check(answers))));
    let of_the_vault = facts
        .answers
        .iter()
        .flat_map(|answers| OF_THE_VAULT.iter().filter_map(move |(name, check)| Some(finding(name, check(answers)?))));
    of_the_machine.chain(of_the_daemon).chain(of_the_vault).collect()
}

fn finding(check: &'static str, (result, message, fix): Answer) -> Finding {
    Finding { check, result, message, fix: fix.into_owned() }
}

fn ok(message: impl Into<String>) -> Answer {
    (Verdict::Ok, message.into(), "".into())
}

fn warning(message: impl Into<String>, fix: impl Into<Cow<'static, str>>) -> Answer {
    (Verdict::Warning, message.into(), fix.into())
}

fn failed(message: impl Into<String>, fix: impl Into<Cow<'static, str>>) -> Answer {
    (Verdict::Failed, message.into(), fix.into())
}

fn reachable(facts: &Facts) -> Option<Answer> {
    Some(match &facts.answers {
        Ok(answers) => ok(format!("the daemon answers, up for {}", span(answers.health.uptime))),
        Err(silence) => match silence.code {
            ErrorCode::Unavailable if silence.cause.contains(DENIED) => failed(&silence.cause, LET_EVERYONE_IN),
            ErrorCode::Unavailable | ErrorCode::Timeout if installed::has_bad_configuration(facts) => {
                failed(&silence.cause, "do what the check 'config' says, then systemctl restart tokenvaultd")
            }
            ErrorCode::Unavailable | ErrorCode::Timeout => {
                failed(&silence.cause, "systemctl status tokenvaultd; journalctl -u tokenvaultd")
            }
            _ => ok("the daemon answers"),
        },
    })
}

/// A daemon that is there and does not report to this caller.
fn caller(facts: &Facts) -> Option<Answer> {
    match &facts.answers {
        Err(silence) if !matches!(silence.code, ErrorCode::Unavailable | ErrorCode::Timeout) => {
            Some(failed(&silence.cause, silence.next.clone()))
        }
        _ => None,
    }
}

fn clock(facts: &Facts) -> Option<Answer> {
    Some(if (EARLIEST..LATEST).contains(&facts.now) {
        ok("the clock is plausible")
    } else {
        failed("the clock is wrong, and expiry with it", "timedatectl set-ntp true")
    })
}
