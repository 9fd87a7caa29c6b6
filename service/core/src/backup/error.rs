//! Why a stream is not a backup that can be used, and where.

use std::io;

use crate::Error;
use crate::crypto::CryptoError;

/// Each names the place, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The stream could not be read or written.
    #[error("the backup could not be {what}: {cause}")]
    Io {
        /// What was to be done with it.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// It does not begin as a backup does.
    #[error("this is not a backup of tokenvault: it does not begin as one; name another file")]
    NotABackup,
    /// A newer release wrote it.
    #[error(
        "the backup has format {0}, which this release does not know; use the release that wrote it or a newer one"
    )]
    NewerFormat(u8),
    /// The header does not make sense.
    #[error("the header of the backup is damaged ({0}); use another backup")]
    Header(&'static str),
    /// No header has room for so many.
    #[error(
        "the vault has more recovery keys than a backup has room for; remove some with 'tokenvaultctl slot remove', and begin again"
    )]
    TooManyKeys,
    /// It is for other recovery keys.
    #[error("the backup was not made for this recovery key; use the recovery key its vault had at that time")]
    OtherKey,
    /// The key is the right one, and the header was changed.
    #[error("the header of the backup is damaged (its key does not open); use another backup")]
    HeaderKey,
    /// A chunk is not what was written, or does not stand where it was written.
    #[error("chunk {chunk} of the backup, from byte {offset} on, {what}; use another backup")]
    Chunk {
        /// Its number, from 0.
        chunk: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The stream ends too soon.
    #[error("the backup is cut off at byte {offset}, in or before chunk {chunk}; use another backup")]
    CutOff {
        /// The chunk that is missing or not whole.
        chunk: u64,
        /// Where the stream ends.
        offset: u64,
    },
    /// Something follows the last chunk.
    #[error("something follows the end of the backup at byte {offset}; use another backup")]
    Trailing {
        /// Where it begins.
        offset: u64,
    },
    /// What was encrypted is not what this format has there.
    #[error("what chunk {chunk} of the backup holds cannot be used: {what}; use another backup")]
    Contents {
        /// The chunk with its end.
        chunk: u64,
        /// What is wrong.
        what: String,
    },
    /// All chunks open, and the vault has not written this.
    #[error("the backup was not made by the vault it is said to be of; use another backup")]
    NotOfTheVault,
    /// All of it fits together, and its recovery key was shown to another vault.
    #[error("the backup is not of a vault in which this recovery key was confirmed; use another backup")]
    NotConfirmed,
    /// Nobody wants it any more.
    #[error("it was cancelled")]
    Cancelled,
    /// Random source or memory.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<BackupError> for Error {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Cancelled => Self::Cancelled,
            BackupError::OtherKey => Self::AccessDenied(error.to_string()),
            BackupError::Io { cause, .. } if cause.kind() == io::ErrorKind::ConnectionAborted => Self::Cancelled,
            BackupError::Io { ref cause, .. } if cause.kind() == io::ErrorKind::TimedOut => {
                Self::Timeout(format!("{error}; begin it again"))
            }
            BackupError::TooManyKeys => Self::Unavailable(error.to_string()),
            BackupError::Io { .. } => Self::Unavailable(format!("{error}; begin it again")),
            BackupError::Crypto(CryptoError::Memory(exhausted)) => exhausted.into(),
            BackupError::Crypto(cause) => Self::Internal(cause.to_string()),
            other => Self::InvalidArgs(other.to_string()),
        }
    }
}
