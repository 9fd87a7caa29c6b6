//! The vault itself: made by its first slot.

use std::os::fd::RawFd;

use tokenvault_client::Client;
use tokenvault_proto::{AddSlotOptions, ErrorCode, Status};

use crate::ctl::slot::{add_empty, add_passphrase};
use crate::failure::Failure;
use crate::input::Source;
use crate::passphrase;

/// What a new vault is opened with.
pub enum Way {
    /// The TPM.
    Tpm,
    /// A file beside the store.
    HostKey,
    /// A passphrase, asked for or read.
    Passphrase(Option<Source>),
}

impl Way {
    /// From the options.
    pub fn new(host_key: bool, passphrase: bool, fd: Option<RawFd>) -> Self {
        match (host_key, fd) {
            (true, _) => Self::HostKey,
            (false, Some(number)) => Self::Passphrase(Some(Source::Descriptor(number))),
            (false, None) if passphrase => Self::Passphrase(None),
            (false, None) => Self::Tpm,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Tpm => "tpm2",
            Self::HostKey => "host-key",
            Self::Passphrase(_) => passphrase::KIND,
        }
    }
}

/// Refuses a vault that is in no state to be set up.
///
/// # Errors
/// What is to be done about that state first.
pub fn check_state(status: &Status) -> Result<(), Failure> {
    match status.state.as_str() {
        "uninitialised" | "serving" | "read-only" => Ok(()),
        state => Err(not_now(state, &status.reason)),
    }
}

/// Makes the vault when there is none.
///
/// # Errors
/// When the vault was made another way than is asked for now, or cannot be made.
pub fn vault(client: &Client, status: &Status, way: Way) -> Result<(), Failure> {
    if status.state != "uninitialised" {
        return agree(client, &way);
    }
    match way {
        Way::Passphrase(source) => add_passphrase(client, source.as_ref())?,
        Way::HostKey => add_empty(client, way.kind())?,
        Way::Tpm => match client.add_slot(way.kind(), &[], &AddSlotOptions::default()) {
            Err(error) if error.code() == ErrorCode::NoTpm => return Err(no_tpm()),
            added => added?,
        },
    };
    Ok(())
}

/// The daemon does not know that another way can be chosen here.
fn no_tpm() -> Failure {
    Failure::new(
        ErrorCode::NoTpm,
        "no TPM answers, and nothing else was chosen to open the vault with",
        "add --passphrase, or --host-key, which protects nothing at rest",
    )
}

/// A vault that is there already must have what the options ask for.
fn agree(client: &Client, way: &Way) -> Result<(), Failure> {
    let kind = way.kind();
    if matches!(way, Way::Tpm) || client.slots()?.iter().any(|slot| slot.kind == kind) {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::Exists,
        format_args!("the vault exists already and has no {kind} slot"),
        format_args!("add one with 'tokenvaultctl slot add {kind}', or run init without the option"),
    ))
}

fn not_now(state: &str, reason: &str) -> Failure {
    let (code, next) = match state {
        "sealed" => (ErrorCode::Sealed, "open it with 'tokenvaultctl unseal', then run init again"),
        "quarantined" => (ErrorCode::Quarantined, "see 'tokenvaultctl status'"),
        _ => (ErrorCode::Unavailable, "run init again in a moment"),
    };
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Failure::new(code, format_args!("the vault is {state}{reason}"), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_own_next_step() {
        let cases = [("sealed", 6, "unseal"), ("quarantined", 6, "status"), ("starting", 8, "in a moment")];
        for (state, status, next) in cases {
            let failure = not_now(state, "why");
            assert_eq!(failure.status(), status);
            let line = failure.line().unwrap();
            assert!(line.starts_with(&format!("the vault is {state}: why; ")) && line.contains(next), "{line}");
        }
    }
}
