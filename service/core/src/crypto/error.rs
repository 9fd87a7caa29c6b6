//! What can go wrong below the domain.

use crate::Error;
use crate::port::SecretMemoryExhausted;

/// Why a primitive did not do what was asked. Says nothing of keys or plaintexts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// Shorter than the shortest thing of its format.
    #[error("the encrypted data is truncated")]
    Truncated,
    /// The format byte is not one this release writes or reads.
    #[error("the encrypted data has format {0}, which this release does not know")]
    UnknownFormat(u8),
    /// Made with another key, for another purpose or for another place.
    #[error("the encrypted data does not belong to this key and place")]
    WrongKey,
    /// Made with this key for this place, and changed since.
    #[error("the encrypted data is damaged")]
    Damaged,
    /// Authentic, but not padded the way this release pads.
    #[error("the padding of the decrypted value is malformed")]
    Padding,
    /// Over the length this operation takes.
    #[error("the data is too long to be encrypted")]
    TooLong,
    /// A symmetric key of a length that is not used here.
    #[error("the key has {0} bytes")]
    KeyLength(usize),
    /// Not a usable X25519 public key: wrong length, not canonical, or of small order.
    #[error("the public key is not a usable X25519 key")]
    PublicKey,
    /// The system's random source failed.
    #[error("the system's random source failed: {0}")]
    Random(#[from] getrandom::Error),
    /// The memory for secrets is used up.
    #[error(transparent)]
    Memory(#[from] SecretMemoryExhausted),
}

impl From<CryptoError> for Error {
    /// What a caller is told when a row does not open: the store did not verify. Slots have answers of their own, see
    /// [`SlotError`](crate::slot::SlotError).
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::Memory(exhausted) => exhausted.into(),
            CryptoError::Truncated
            | CryptoError::UnknownFormat(_)
            | CryptoError::WrongKey
            | CryptoError::Damaged
            | CryptoError::Padding => {
                Self::Quarantined(format!("{error}; ask the administrator to put a copy of the state directory back"))
            }
            CryptoError::TooLong | CryptoError::KeyLength(_) | CryptoError::PublicKey | CryptoError::Random(_) => {
                Self::Internal(error.to_string())
            }
        }
    }
}
