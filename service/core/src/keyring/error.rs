//! Why rows are no keyring.

use crate::Error;
use crate::crypto::CryptoError;

/// Why the rows of a store are no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// A purpose has no key.
    #[error("the keyring has no key '{0}'")]
    Missing(&'static str),
    /// A purpose has two keys of one term, or two of those that have one term only.
    #[error("the keyring has two keys '{0}'")]
    Duplicate(&'static str),
    /// The newest keys of those that are renewed were not drawn together: one was taken away.
    #[error("the newest key '{0}' of the keyring is not there")]
    NewestMissing(&'static str),
    /// A purpose of another release, or a changed row. The text is not repeated.
    #[error("the keyring has a key for a purpose this release does not know")]
    UnknownPurpose,
    /// A key does not open or has no usable length.
    #[error("key '{purpose}' of the keyring does not open: {cause}")]
    Key {
        /// Which one.
        purpose: &'static str,
        /// Why.
        cause: CryptoError,
    },
    /// Random source or memory.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Crypto(cause) | KeyringError::Key { cause: cause @ CryptoError::Memory(_), .. } => {
                cause.into()
            }
            KeyringError::Missing(_)
            | KeyringError::NewestMissing(_)
            | KeyringError::Duplicate(_)
            | KeyringError::UnknownPurpose
            | KeyringError::Key { .. } => Self::Quarantined(format!("{error}; restore a backup")),
        }
    }
}
