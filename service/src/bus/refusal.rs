//! The one table from what went wrong to what the caller is told.

use std::sync::atomic::{AtomicU64, Ordering};

use tokenvault_core::Error;
use tokenvault_core::port::SealError;
use tokenvault_proto::ErrorCode;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;

/// An error reply: the code's name and one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    name: String,
    text: String,
}

impl Refusal {
    fn new(code: ErrorCode, text: String) -> Self {
        Self { code, name: code.dbus_name(), text }
    }
}

/// Numbers requests that failed inside, so that caller and journal can be brought together.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

impl Refusal {
    /// The row of the contract's table that an error belongs to.
    pub const fn code_of(error: &Error) -> ErrorCode {
        match error {
            Error::InvalidArgs(_) => ErrorCode::InvalidArgs,
            Error::NotFound
            | Error::ShareOver
            | Error::NotShared
            | Error::NoOffer
            | Error::OfferOver
            | Error::NoOperation(_) => ErrorCode::NotFound,
            Error::AccessDenied(_) => ErrorCode::AccessDenied,
            Error::InteractionRequired(_) => ErrorCode::InteractiveAuthorizationRequired,
            Error::Exists => ErrorCode::Exists,
            Error::Conflict { .. } => ErrorCode::Conflict,
            Error::Sealed(_) => ErrorCode::Sealed,
            Error::Locked | Error::OwnerLocked => ErrorCode::Locked,
            Error::Quarantined(_) | Error::AuditBroken(_) => ErrorCode::Quarantined,
            Error::LimitsExceeded { .. } => ErrorCode::LimitsExceeded,
            Error::Unavailable(_) | Error::Cancelled => ErrorCode::Unavailable,
            Error::Timeout(_) => ErrorCode::Timeout,
            Error::Tpm(cause) => code_of_tpm(cause),
            Error::DamagedSlot(_) => ErrorCode::DamagedSlot,
            Error::Internal(_) => ErrorCode::Failed,
        }
    }

    /// Row of the contract's table.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Name of the error.
    pub fn error_name(&self) -> &str {
        &self.name
    }

    /// Cause and next step.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match &error {
            Error::Tpm(cause) => of_tpm(cause),
            Error::Internal(text) => internal(text),
            _ => Self::new(Self::code_of(&error), error.to_string()),
        }
    }
}

const fn code_of_tpm(cause: &SealError) -> ErrorCode {
    match cause {
        SealError::NoTpm(_) => ErrorCode::NoTpm,
        SealError::WrongTpm => ErrorCode::WrongTpm,
        SealError::PolicyMismatch => ErrorCode::PolicyMismatch,
        SealError::Lockout => ErrorCode::TpmLockout,
        SealError::DamagedBlob => ErrorCode::DamagedSlot,
        SealError::Timeout => ErrorCode::Timeout,
        SealError::Failed(_) => ErrorCode::Failed,
    }
}

fn of_tpm(cause: &SealError) -> Refusal {
    let next_step = match cause {
        SealError::NoTpm(_) => "check the device and its permissions, or unseal with the recovery key",
        SealError::WrongTpm => "unseal with the recovery key, then add a tpm2 slot",
        SealError::PolicyMismatch => "boot the measured system, or unseal with the recovery key",
        SealError::Lockout => "wait for its end, or unseal with the recovery key",
        SealError::DamagedBlob => "unseal with the recovery key, then add a tpm2 slot anew",
        SealError::Timeout => "retry, or unseal with the recovery key",
        // Only administrators ask for what the TPM answers: they get its words.
        SealError::Failed(_) => "see 'tokenvaultctl doctor'",
    };
    Refusal::new(code_of_tpm(cause), format!("{cause}; {next_step}"))
}

/// What went wrong inside goes to the journal; the caller gets its number.
fn internal(text: &str) -> Refusal {
    let id = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let id = format!("{}-{id}", std::process::id());
    log::error!("request {id} failed: {text}");
    Refusal::new(ErrorCode::Failed, format!("internal error; the journal of tokenvaultd tells more under request {id}"))
}

impl zbus::DBusError for Refusal {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.text)
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_str_unchecked(&self.name)
    }

    fn description(&self) -> Option<&str> {
        Some(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_stay_in_the_journal() {
        let refusal = Refusal::from(Error::Internal("row 17 of token".into()));
        assert_eq!(refusal.name, ErrorCode::Failed.dbus_name());
        assert!(!refusal.text.contains("row 17"));
        assert!(refusal.text.contains("request "));
    }

    #[test]
    fn each_tpm_failure_has_its_own_code_and_next_step() {
        let failures = [
            (SealError::NoTpm("x".into()), ErrorCode::NoTpm),
            (SealError::WrongTpm, ErrorCode::WrongTpm),
            (SealError::PolicyMismatch, ErrorCode::PolicyMismatch),
            (SealError::Lockout, ErrorCode::TpmLockout),
            (SealError::DamagedBlob, ErrorCode::DamagedSlot),
            (SealError::Timeout, ErrorCode::Timeout),
        ];
        let mut texts = std::collections::HashSet::new();
        for (failure, code) in failures {
            let refusal = Refusal::from(Error::from(failure));
            assert_eq!(refusal.name, code.dbus_name());
            assert!(refusal.text.contains("; "), "{}", refusal.text);
            assert!(texts.insert(refusal.text.clone()));
        }
    }
}
