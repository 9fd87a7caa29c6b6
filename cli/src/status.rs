//! `status`: the state of the vault, the same in both programs.

use tokenvault_proto::{Plain, Status};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Fields, bytes};
use crate::sudo::as_typed;

/// Show the state of the vault, what protects it, and how much of it is yours
#[derive(clap::Args)]
pub struct Args {}

/// Prints the state. The exit status says only whether the daemon answered.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let status = context.client()?.status()?;
    if context.output.wants_json() {
        return context.output.json(&Plain(&status));
    }
    context.output.fields(&fields(&status))
}

fn fields(status: &Status) -> Fields {
    let mut fields = Fields::default();
    fields.add("State", &status.state);
    fields.add("Reason", &status.reason);
    fields.add("Opened by", &status.protection);
    fields.add("Vault id", &status.vault_id);
    if !status.vault_id.is_empty() {
        fields.add("Recovery", if status.recovery_confirmed { "confirmed" } else { "NOT confirmed" });
    }
    if status.lockdown {
        fields.add("Lockdown", "on: no value is given out");
    }
    fields.add("Old copies", old_copies(status));
    fields.add("Disk theft", &status.disk_theft);
    fields.add("Machine theft", &status.machine_theft);
    if status.protection.is_empty() {
        fields.add("Tokens", "unknown while the vault is not open");
    } else {
        fields.add("Tokens", of(status.tokens.to_string(), status.quota_tokens, |quota| quota.to_string()));
        fields.add("Bytes", of(bytes(status.bytes), status.quota_bytes, bytes));
    }
    fields.add("Next step", as_typed(&status.next_step));
    fields
}

/// What becomes of a store that somebody puts back from a copy.
fn old_copies(status: &Status) -> String {
    match status.anchor.as_str() {
        "held" if !status.recovery_confirmed => "told of, and served until a recovery key is confirmed".into(),
        "held" => format!("noticed; the TPM has counted {} times", status.anchor_raises),
        "pending" => "NOT noticed until the TPM has counted".into(),
        _ if status.protection.is_empty() => String::new(),
        _ => "not noticed: no counter of a TPM tells them from the present one".into(),
    }
}

/// `used of quota`; a quota of 0 is none.
fn of(used: String, quota: u64, show: fn(u64) -> String) -> String {
    if quota == 0 { used } else { format!("{used} of {}", show(quota)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unconfirmed_recovery_key_is_said_loudly() {
        let (state, protection) = ("serving".into(), "tpm2".into());
        let status = Status { state, protection, vault_id: "00".into(), quota_tokens: 10, ..Status::default() };
        let text = fields(&status).render(None);
        assert!(text.contains("Recovery: NOT confirmed\n"), "{text}");
        assert!(text.contains("Opened by: tpm2\n"), "{text}");
        assert!(text.contains("Tokens: 0 of 10\n"), "{text}");
        assert!(text.contains("Bytes: 0B\n"), "{text}");
    }

    #[test]
    fn what_cannot_be_counted_is_not_called_nothing() {
        let text = fields(&Status { state: "sealed".into(), vault_id: "00".into(), ..Status::default() }).render(None);
        assert!(text.contains("Tokens: unknown"), "{text}");
    }
}
