//! From SQLite's and the system's errors to those of the port.
//!
//! Inside this crate everything fails with a [`Fault`], so that `?` works on both kinds; the edge takes the
//! [`StoreError`] out of it. Texts come from SQLite and the system and never hold a bound value.

use std::io;

use rusqlite::ErrorCode;
use tokenvault_core::port::StoreError;

/// An error on its way to the caller.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) StoreError);

impl Fault {
    pub(crate) fn corrupt(text: impl Into<String>) -> Self {
        Self(StoreError::Corrupt(text.into()))
    }

    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self(StoreError::Internal(text.into()))
    }

    pub(crate) fn io(text: impl Into<String>) -> Self {
        Self(StoreError::Io(text.into()))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
            _ => StoreError::Io(error.to_string()),
        })
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let Some(code) = error.sqlite_error_code() else {
            return match error {
                E::InvalidColumnType(..)
                | E::IntegralValueOutOfRange(..)
                | E::FromSqlConversionFailure(..)
                | E::Utf8Error(..) => Self::corrupt(format!("a row has an unexpected form: {error}")),
                other => Self::internal(other.to_string()),
            };
        };
        match code {
            ErrorCode::DiskFull => Self(StoreError::Full),
            ErrorCode::ReadOnly => Self(StoreError::ReadOnly),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::corrupt(error.to_string()),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                Self::io("another program holds a lock on the store; end it and retry")
            }
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport => Self::io(error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}

/// The same error once more: every job of a failed batch is told.
pub(crate) fn duplicate(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Limit => StoreError::Limit,
        StoreError::ReadOnly => StoreError::ReadOnly,
        StoreError::Corrupt(text) => StoreError::Corrupt(text.clone()),
        StoreError::Newer { found, known } => StoreError::Newer { found: *found, known: *known },
        StoreError::Held => StoreError::Held,
        StoreError::Busy => StoreError::Busy,
        StoreError::Closed => StoreError::Closed,
        StoreError::Io(text) => StoreError::Io(text.clone()),
        StoreError::Internal(text) => StoreError::Internal(text.clone()),
    }
}

/// Whether an error concerns the file and not the one statement that met it.
pub(crate) fn breaks_batch(error: &StoreError) -> bool {
    matches!(error, StoreError::Full | StoreError::ReadOnly | StoreError::Corrupt(_) | StoreError::Io(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_quota_is_a_full_disk() {
        let fault = Fault::from(io::Error::from(io::ErrorKind::QuotaExceeded));
        assert!(matches!(fault.0, StoreError::Full));
    }

    #[test]
    fn a_row_of_the_wrong_type_is_damage() {
        let error = rusqlite::Error::InvalidColumnType(0, "meta".into(), rusqlite::types::Type::Null);
        assert!(matches!(Fault::from(error).0, StoreError::Corrupt(_)));
    }
}
