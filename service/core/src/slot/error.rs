//! Why a slot was not made or did not open.

use crate::Error;
use crate::crypto::CryptoError;
use crate::port::SealError;

/// Each has its own next step for the administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The key, passphrase or file is not the one of this slot.
    #[error("this key or passphrase does not open the slot; check it and retry")]
    WrongSecret,
    /// Changed or truncated.
    #[error("the slot is damaged ({0}); unseal with another slot, then remove this one and add it again")]
    Damaged(&'static str),
    /// Copied from another vault.
    #[error("the slot belongs to another vault; unseal with another slot, then remove this one")]
    ForeignVault,
    /// Written by a newer release, or changed.
    #[error("the slot has a kind this release does not know; use the release that added it, or another slot")]
    UnknownKind,
    /// The table's MAC does not fit: a slot was added, removed or changed behind the vault's back.
    #[error("the slot table was changed outside the vault; restore a backup")]
    TableChanged,
    /// A TPM where a key is needed, or a key where the TPM is.
    #[error("a slot of kind '{0}' is not opened by this kind of secret")]
    SecretKind(&'static str),
    /// Secrets of slots have 32 bytes.
    #[error("the secret has {0} bytes, not 32")]
    SecretLength(usize),
    /// Passphrase parameters that are malformed or too weak.
    #[error("{0}")]
    Parameters(&'static str),
    /// The TPM did not do what was asked.
    #[error(transparent)]
    Tpm(#[from] SealError),
    /// Random source, memory, public key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl SlotError {
    /// What the failure of a wrapper means for a slot; `misfit` when key and wrapper do not belong together.
    pub(super) fn from_wrapper(error: CryptoError, misfit: Self) -> Self {
        match error {
            CryptoError::WrongKey => misfit,
            CryptoError::Truncated => Self::Damaged("its wrapped key is truncated"),
            CryptoError::UnknownFormat(_) => Self::Damaged("its wrapped key has an unknown format"),
            CryptoError::Damaged => Self::Damaged("its wrapped key was changed"),
            other => Self::Crypto(other),
        }
    }
}

impl From<SlotError> for Error {
    fn from(error: SlotError) -> Self {
        let text = error.to_string();
        match error {
            SlotError::WrongSecret => Self::AccessDenied(text),
            SlotError::Damaged(_) | SlotError::ForeignVault | SlotError::UnknownKind => Self::DamagedSlot(text),
            SlotError::TableChanged => Self::Quarantined(text),
            SlotError::SecretKind(_)
            | SlotError::SecretLength(_)
            | SlotError::Parameters(_)
            | SlotError::Crypto(CryptoError::PublicKey) => Self::InvalidArgs(text),
            SlotError::Tpm(cause) => cause.into(),
            SlotError::Crypto(cause) => cause.into(),
        }
    }
}
