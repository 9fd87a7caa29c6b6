//! The messages between daemon and worker.
//!
//! Strict: one version, no optional field, no trailing byte. Nothing here allocates before the length was checked
//! against [`MAX_BODY`].

mod field;
mod request;
mod response;

pub use request::{Operation, Request};
pub use response::Response;

use field::{Fields, Message};

/// Version of the format. Daemon and worker come from one package, so there is only ever one.
pub const VERSION: u8 = 1;

/// Bytes of the secrets that are sealed.
pub const SECRET_LEN: usize = 32;

/// Bytes of the length in front of every message.
pub const PREFIX: usize = 4;

/// Most bytes after the length. A sealed key takes about 400.
pub const MAX_BODY: usize = 4096;

/// Room any message fits in.
pub const MAX_MESSAGE: usize = PREFIX + MAX_BODY;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The length is zero or over [`MAX_BODY`].
    #[error("a message of {0} bytes, where 1 to {MAX_BODY} are allowed")]
    Length(usize),
    /// Another version of the format.
    #[error("message version {0}, where {VERSION} is spoken: daemon and worker are of different releases")]
    Version(u8),
    /// A kind that is none of this direction.
    #[error("unknown kind of message {0}")]
    Kind(u8),
    /// It ends inside a field.
    #[error("the message is truncated")]
    Truncated,
    /// Bytes are left over.
    #[error("the message has trailing bytes")]
    Trailing,
    /// A field has a value it must not have.
    #[error("malformed field '{0}'")]
    Field(&'static str),
    /// Too big to be sent.
    #[error("the message does not fit")]
    TooBig,
}

/// Checks the length in front of a message.
///
/// # Errors
/// [`WireError::Length`] when it is zero or over [`MAX_BODY`]: nothing was allocated for it yet.
pub fn body_len(prefix: [u8; PREFIX]) -> Result<usize, WireError> {
    let len = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if len == 0 || len > MAX_BODY { Err(WireError::Length(len)) } else { Ok(len) }
}
