//! What the daemon says of the vault and of the caller.

use super::super::facts::Answers;
use super::{Answer, failed, ok, warning};
use crate::output::bytes;

/// Part of a quota, in percent, from which it is nearly used up.
pub(super) const NEARLY_FULL: u128 = 90;

/// Whether so much of a quota is used; one of 0 is none.
pub(super) fn is_nearly_full(used: u64, quota: u64) -> bool {
    quota > 0 && u128::from(used) * 100 >= u128::from(quota) * NEARLY_FULL
}

pub(super) fn door(answers: &Answers) -> Answer {
    match answers.me.door.as_str() {
        "socket" => ok("the private socket"),
        door => warning(
            format!("{door}: it works, at a lower speed"),
            "use the private socket: unset TOKENVAULT_ADDRESS, or mend what the check 'socket' says",
        ),
    }
}

pub(super) fn state(answers: &Answers) -> Answer {
    let status = &answers.status;
    let message =
        if status.reason.is_empty() { status.state.clone() } else { format!("{}: {}", status.state, status.reason) };
    let next = next_step(answers);
    match status.state.as_str() {
        // The reasons a serving vault has are those of checks of their own.
        "serving" => ok("serving"),
        "starting" => warning(message, "tokenvaultctl status"),
        _ => failed(message, next),
    }
}

/// What the daemon says is to be done.
pub(super) fn next_step(answers: &Answers) -> String {
    let next = &answers.status.next_step;
    if next.is_empty() { "journalctl -u tokenvaultd".to_owned() } else { next.clone() }
}

pub(super) fn protection(answers: &Answers) -> Answer {
    // Whatever opened it this time: the slot that gives the disk away is there.
    let disk_theft = &answers.status.disk_theft;
    if disk_theft.starts_with("NOT protected") {
        let remove = "tokenvaultctl slot remove ID for the host-key slot";
        let fix = match answers.has_tpm_slot {
            Some(true) => remove.to_owned(),
            _ => format!("tokenvaultctl slot add tpm2 (or passphrase), then {remove}"),
        };
        return warning(format!("disk theft: {disk_theft}"), fix);
    }
    match answers.status.protection.as_str() {
        "" => warning("the vault is not open", "do what the check 'state' says"),
        "recovery" if answers.tpm_fault().is_some() => {
            warning("recovery: the vault does not open by itself after a restart", "mend what the check 'tpm' says")
        }
        "recovery" if answers.has_tpm_slot == Some(true) => ok("recovery; a tpm2 slot is there for the next start"),
        "recovery" => {
            warning("recovery: the vault does not open by itself after a restart", "tokenvaultctl slot add tpm2")
        }
        kind => ok(kind),
    }
}

pub(super) fn recovery(answers: &Answers) -> Answer {
    match (answers.status.vault_id.is_empty(), answers.status.state.as_str()) {
        (true, "uninitialised") => return ok("there is no vault yet"),
        // What a store that is damaged or out of reach says of itself says nothing.
        (true, _) | (_, "quarantined") => return ok(format!("unknown while the vault is {}", answers.status.state)),
        _ => {}
    }
    if answers.status.recovery_confirmed {
        return ok("the recovery key is confirmed");
    }
    warning("no confirmed recovery key: a broken TPM loses every token", "tokenvaultctl init")
}

pub(super) fn lockdown(answers: &Answers) -> Answer {
    if answers.status.lockdown {
        return warning(
            "the vault gives no value out, to nobody",
            "tokenvaultctl lockdown off, when values may leave again",
        );
    }
    if answers.status.protection.is_empty() {
        return ok("unknown while the vault is not open");
    }
    ok("values are given out")
}

pub(super) fn anchor(answers: &Answers) -> Answer {
    let status = &answers.status;
    match (status.anchor.as_str(), answers.has_tpm_slot) {
        _ if status.protection.is_empty() => ok("unknown while the vault is not open"),
        ("held", _) => {
            ok(format!("the TPM notices an old copy of the store; it has counted {} times", status.anchor_raises))
        }
        ("pending", _) => warning(
            "an old copy of the store would not be noticed: the TPM does not count",
            "mend what the check 'tpm' says; 'journalctl -u tokenvaultd' says why it does not count",
        ),
        (_, Some(true)) => warning(
            "an old copy of the store would not be noticed: the vault has no counter in this TPM",
            "do what the check 'tpm' says, or 'tokenvaultctl slot add tpm2' with another TPM",
        ),
        _ => ok("no TPM opens the vault, so none tells an old copy of the store from the present one"),
    }
}

pub(super) fn quota(answers: &Answers) -> Answer {
    let status = &answers.status;
    if is_nearly_full(status.tokens, status.quota_tokens) || is_nearly_full(status.bytes, status.quota_bytes) {
        let message = format!(
            "{} of {} tokens, {} of {}",
            status.tokens,
            status.quota_tokens,
            bytes(status.bytes),
            bytes(status.quota_bytes)
        );
        return warning(message, "tokenvault list; tokenvault rm NAME");
    }
    if status.protection.is_empty() {
        return ok("unknown while the vault is not open");
    }
    ok(format!("{} {}, {}", status.tokens, if status.tokens == 1 { "token" } else { "tokens" }, bytes(status.bytes)))
}
