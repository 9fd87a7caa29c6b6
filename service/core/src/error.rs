//! Everything that can go wrong in the domain, by cause.

use crate::port::{Cancelled, SealError, SecretMemoryExhausted, StoreError};

const NO_OFFER: &str = "no such offer: the code is wrong, was used already, or has expired; ask for a new one";

/// Why a request was not done. One variant per answer of the interface; the text says cause and next step and never
/// holds a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is malformed; the text says which part.
    #[error("{0}")]
    InvalidArgs(String),
    /// Missing, another's, expired: one answer.
    #[error("no such token")]
    NotFound,
    /// What was shared with the caller, and no longer is: a share that has ended. The same answer; but who had it guesses
    /// nothing.
    #[error("no such token")]
    ShareOver,
    /// The token is there, and is not shared with that grantee.
    #[error("the token is not shared with that grantee; 'tokenvault shares' lists with whom it is")]
    NotShared,
    /// A code that gives nothing: wrong, used, expired; one answer.
    #[error("{NO_OFFER}")]
    NoOffer,
    /// The right code of an offer that is over. The same answer; but who has it guesses nothing.
    #[error("{NO_OFFER}")]
    OfferOver,
    /// There is no such work, or it is another's.
    #[error("there is no operation {0} of yours; what came of one is kept for an hour")]
    NoOperation(u64),
    /// Visible but not permitted.
    #[error("{0}")]
    AccessDenied(String),
    /// Somebody who is asked could permit it, and the caller did not say that anybody may be.
    #[error("{0}")]
    InteractionRequired(String),
    /// `create` on a live name.
    #[error("a token of this name exists already; choose another name, or put a new version of it with mode 'upsert'")]
    Exists,
    /// `expect-version` differs.
    #[error("the current version is {current}, not {expected}; read it again and retry")]
    Conflict {
        /// Number of the current version; 0 when there is no token.
        current: u64,
        /// Number the caller expected.
        expected: u64,
    },
    /// No slot has opened the vault.
    #[error("the vault is sealed: {0}")]
    Sealed(String),
    /// Login class, and its owner has not unlocked.
    #[error("the login-class tokens of this user are locked; run 'tokenvault unlock'")]
    Locked,
    /// The same of somebody else's token.
    #[error("the token is of class 'login' and opens while its owner is logged in; ask them to log in")]
    OwnerLocked,
    /// The store failed verification.
    #[error("the vault is quarantined: {0}")]
    Quarantined(String),
    /// The audit log is not as it was written; the number of the first record at fault.
    #[error(
        "audit record {0} was changed, dropped or moved, and only what stands before it can be relied upon; keep the state \
         directory as it is, and find out who could write it"
    )]
    AuditBroken(u64),
    /// A quota or a rate.
    #[error("limit '{limit}' is reached; {retry}")]
    LimitsExceeded {
        /// Key of the limit in the configuration.
        limit: &'static str,
        /// When or how it can work again.
        retry: String,
    },
    /// Disk full, read-only, directory service down.
    #[error("{0}")]
    Unavailable(String),
    /// Nobody wants it any more, or the vault stops.
    #[error("it was cancelled; begin it again")]
    Cancelled,
    /// A deadline passed.
    #[error("{0}")]
    Timeout(String),
    /// The TPM did not do what was asked.
    #[error(transparent)]
    Tpm(#[from] SealError),
    /// A slot does not open or its data is damaged.
    #[error("{0}")]
    DamagedSlot(String),
    /// A fault of ours; the text goes to the journal, never to the caller.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                Self::Unavailable("the disk is full: free space on the state directory's file system and retry".into())
            }
            StoreError::Limit => Self::LimitsExceeded {
                limit: "store-bytes",
                retry: "delete tokens, or have the administrator raise it in the configuration, and retry".into(),
            },
            StoreError::ReadOnly => Self::Unavailable(
                "the store is read-only: make the state directory's file system writable and restart tokenvaultd"
                    .into(),
            ),
            StoreError::Corrupt(text) => Self::Quarantined(text),
            error @ StoreError::Newer { .. } => Self::Quarantined(error.to_string()),
            StoreError::Held | StoreError::Closed => Self::Unavailable("the vault is stopping; retry".into()),
            StoreError::Busy => {
                Self::LimitsExceeded { limit: "in-flight-total", retry: "too many writes are waiting, retry".into() }
            }
            StoreError::Io(text) => Self::Unavailable(format!(
                "the store could not be read or written: {text}; see 'journalctl -k' for what the disk says, and retry"
            )),
            StoreError::Internal(text) => Self::Internal(text),
        }
    }
}

impl From<Cancelled> for Error {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<SecretMemoryExhausted> for Error {
    fn from(_: SecretMemoryExhausted) -> Self {
        Self::LimitsExceeded { limit: "secret-memory", retry: "too many values are in use at once, retry".into() }
    }
}
