//! A refusal, for whoever reads the journal: one line with unit, id, cause and next step.

use tokenvault_core::token::CredentialRefusal;
use tokenvault_proto::ErrorCode;

use super::address::Asked;
use crate::bus::Refusal;
use crate::journal::event;

/// Why a connection gets no value.
pub struct Refused {
    line: String,
    code: ErrorCode,
    /// Unit and id, where it asks for some.
    of: Option<(String, String)>,
}

impl Refused {
    /// Of a connection that does not ask for a credential of a unit.
    pub fn unasked(why: &str) -> Self {
        Self { line: format!("credentials: a peer is refused: {why}"), code: ErrorCode::InvalidArgs, of: None }
    }

    /// Of a unit or id that we do not give to or by; both are safe to print.
    pub fn unfit(unit: String, id: String, why: &str) -> Self {
        let line = format!("unit {unit} is refused the credential '{id}': {why}; correct the unit's file");
        Self { line, code: ErrorCode::InvalidArgs, of: Some((unit, id)) }
    }

    /// By the vault.
    pub fn by_vault(asked: Asked, refusal: &CredentialRefusal) -> Self {
        let Asked { unit, id } = asked;
        let unit = unit.as_str();
        let line = format!("unit {unit} is refused the credential '{id}': {refusal}");
        let line = match refusal {
            // It says what to do itself.
            CredentialRefusal::Vault(error) if error.to_string().contains("; ") => line,
            _ => format!("{line}; {}", refusal.next_step(unit, &id)),
        };
        Self { line, code: code_of(refusal), of: Some((unit.to_owned(), id)) }
    }

    /// What a caller would have been told.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Writes it to the journal.
    pub fn tell(&self) {
        let Self { line, of, .. } = self;
        match of {
            None => log::warn!("{line}"),
            Some((unit, id)) => log::warn!(
                MESSAGE_ID = event::CREDENTIAL_REFUSED, TOKENVAULT_UNIT = unit.as_str(), TOKENVAULT_CREDENTIAL = id.as_str();
                "{line}"
            ),
        }
    }
}

const fn code_of(refusal: &CredentialRefusal) -> ErrorCode {
    match refusal {
        CredentialRefusal::Vault(error) => Refusal::code_of(error),
        CredentialRefusal::NoName(_) | CredentialRefusal::TooLarge { .. } => ErrorCode::InvalidArgs,
        CredentialRefusal::NoToken | CredentialRefusal::TokenExpired => ErrorCode::NotFound,
        _ => ErrorCode::AccessDenied,
    }
}
