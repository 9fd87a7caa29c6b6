//! What the daemon says of the vault and of the caller.

use super::super::facts::Answers;
use super::{Answer, failed, ok, warning};
use crate::output::bytes;

/// Part of a quota, in percent, from which it is nearly used up.
const NEARLY_FULL: u128 = 90;

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
    let (status, health) = (&answers.status, &answers.health);
    // What another check tells is not told twice.
    let told = status.reason.is_empty() || [&health.tpm, &health.store].contains(&&status.reason);
    let message = if told { status.state.clone() } else { format!("{}: {}", status.state, status.reason) };
    let next =
        if status.next_step.is_empty() { "journalctl -u tokenvaultd".to_owned() } else { status.next_step.clone() };
    match status.state.as_str() {
        // The one reason a serving vault has is that of `recovery`.
        "serving" => ok("serving"),
        "starting" => warning(message, "tokenvaultctl status"),
        "read-only" => failed(message, "df /var/lib/tokenvault; journalctl -u tokenvaultd"),
        _ => failed(message, next),
    }
}

pub(super) fn protection(answers: &Answers) -> Answer {
    match answers.status.protection.as_str() {
        "" => warning("the vault is not open", "do what the check 'state' says"),
        "host-key" => warning("host-key: a stolen disk gives everything away", "tokenvaultctl slot add tpm2"),
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
    if answers.status.vault_id.is_empty() {
        return ok("there is no vault yet");
    }
    if answers.status.recovery_confirmed {
        return ok("the recovery key is confirmed");
    }
    warning("no confirmed recovery key: a broken TPM loses every token", "tokenvaultctl init")
}

pub(super) fn quota(answers: &Answers) -> Answer {
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
        return warning(message, "tokenvault list; tokenvault rm NAME");
    }
    if status.protection.is_empty() {
        return ok("unknown while the vault is not open");
    }
    ok(format!("{} {}, {}", status.tokens, if status.tokens == 1 { "token" } else { "tokens" }, bytes(status.bytes)))
}
