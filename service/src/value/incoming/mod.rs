//! A value a caller hands in: the read end of a pipe, or a memory file sealed against writing and shrinking.
//!
//! The descriptor belongs to someone else, who keeps a copy of it and may do to its description whatever he likes at any
//! time. So nothing here depends on its flags: bytes are moved by `splice` with `SPLICE_F_NONBLOCK` into a pipe of our own
//! and read from there, and nothing on this path can block. A named FIFO is a pipe like any other. What is refused is
//! refused by kind, before a byte is read.

mod kind;
mod long;
mod pipe;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::uio::pread;
use tokenvault_core::Secret;
use tokenvault_core::port::{SecretMemory, SecretMemoryExhausted};

use self::kind::Source;
pub use self::long::{LongValue, Part};
use self::pipe::Drained;
use super::portion::{OverPortion, Portion};

/// What an empty value means to the method that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyValue {
    /// A mistake of the caller.
    Refused,
    /// A request of its own, as in `Unseal`: try the TPM.
    Permitted,
}

/// How much is taken, and how long it may take to come.
#[derive(Debug, Clone, Copy)]
pub struct IncomingLimits {
    /// Most bytes.
    pub max_bytes: usize,
    /// Longest time from here to the end of the value.
    pub deadline: Duration,
    /// Whether no bytes at all are a value.
    pub empty: EmptyValue,
}

/// Why no value was taken. The texts are for the caller and hold nothing of the value.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Not a descriptor values are taken from.
    #[error(
        "the value must come as the read end of a pipe or as a memfd sealed with F_SEAL_WRITE and F_SEAL_SHRINK, not as {0}"
    )]
    WrongKind(&'static str),
    /// Not the end of a pipe that a stream goes through.
    #[error("a backup goes through {0} of a pipe, and through nothing else")]
    NoPipe(&'static str),
    /// The writer closed without writing.
    #[error("the value is empty; a token has at least one byte")]
    Empty,
    /// More than the limit.
    #[error("the value is larger than {limit} bytes")]
    TooLarge {
        /// Most bytes taken.
        limit: usize,
    },
    /// The writer did not finish in time.
    #[error("the value did not end within {0:?}; write it and close every copy of the write end")]
    Timeout(Duration),
    /// The writer of a long value made no progress.
    #[error("nothing more of the value came for {0:?}; write it and close every copy of the write end")]
    Stalled(Duration),
    /// The writer of a long value made too little progress.
    #[error("the value did not end within {0:?}, however steadily it came; write it faster")]
    TooSlow(Duration),
    /// The descriptor could not be read.
    #[error("the value could not be read: {0}")]
    Io(#[from] io::Error),
    /// The uid has too much in secret memory.
    #[error(transparent)]
    Portion(#[from] OverPortion),
    /// No room for it.
    #[error(transparent)]
    Memory(#[from] SecretMemoryExhausted),
}

impl From<ReceiveError> for tokenvault_core::Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::WrongKind(_)
            | ReceiveError::NoPipe(_)
            | ReceiveError::Empty
            | ReceiveError::TooLarge { .. } => Self::InvalidArgs(error.to_string()),
            ReceiveError::Timeout(_) | ReceiveError::Stalled(_) | ReceiveError::TooSlow(_) => {
                Self::Timeout(error.to_string())
            }
            ReceiveError::Io(_) => Self::Unavailable(format!("{error}; retry")),
            ReceiveError::Portion(error) => error.into(),
            ReceiveError::Memory(error) => error.into(),
        }
    }
}

/// Where a value goes: the portion of the user who sends it, and the memory that is taken within it.
pub struct Room<'a> {
    /// Grows before memory is taken. It must be kept as long as the value is.
    pub portion: &'a mut Portion,
    /// Where the value lies.
    pub memory: &'a dyn SecretMemory,
}

impl Room<'_> {
    /// Zeros, `len` of them, within the portion.
    fn zeroed(&mut self, len: usize) -> Result<Secret, ReceiveError> {
        self.portion.resize(len)?;
        Ok(Secret::zeroed(self.memory, len)?)
    }
}

/// Takes a value in, whole or not at all.
///
/// # Errors
/// See [`ReceiveError`].
pub async fn receive(fd: OwnedFd, limits: IncomingLimits, room: Room<'_>) -> Result<Secret, ReceiveError> {
    match receive_any(fd, limits, room).await? {
        Received::Whole(value) => Ok(value),
        Received::Long(_) => Err(ReceiveError::TooLarge { limit: limits.max_bytes }),
    }
}

/// A value, or the beginning of one that is longer than what is taken in one piece.
pub enum Received {
    /// All of it.
    Whole(Secret),
    /// It has more than [`IncomingLimits::max_bytes`].
    Long(LongValue),
}

/// Takes a value in, and where it is longer than the limit as much of it as is asked for later.
///
/// # Errors
/// See [`ReceiveError`].
pub async fn receive_any(fd: OwnedFd, limits: IncomingLimits, mut room: Room<'_>) -> Result<Received, ReceiveError> {
    let limit = limits.max_bytes;
    let value = match kind::examine(&fd)? {
        Source::SealedFile { size } if size > limit as u64 => {
            return Ok(Received::Long(LongValue::of_file(fd, size, limits.deadline)));
        }
        Source::SealedFile { size } => copy_file(&fd, size, limit, &mut room)?,
        Source::Pipe => {
            let drained = tokio::time::timeout(limits.deadline, pipe::drain(fd, limit, room)).await;
            match drained.map_err(|_| ReceiveError::Timeout(limits.deadline))?? {
                Drained::Whole(value) => value,
                Drained::Beginning(beginning, source) => {
                    return Ok(Received::Long(LongValue::of_pipe(beginning, source, limits.deadline)));
                }
            }
        }
    };
    if value.is_empty() && limits.empty == EmptyValue::Refused {
        return Err(ReceiveError::Empty);
    }
    Ok(Received::Whole(value))
}

/// Copies a sealed memory file. Its pages are in memory and stay what they are, so this neither waits nor races.
fn copy_file(fd: &OwnedFd, size: u64, limit: usize, room: &mut Room<'_>) -> Result<Secret, ReceiveError> {
    let size = usize::try_from(size).ok().filter(|size| *size <= limit).ok_or(ReceiveError::TooLarge { limit })?;
    let mut value = room.zeroed(size)?;
    let mut filled = 0;
    while let Some(rest) = value.expose_mut().get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match pread(fd, rest, i64::try_from(filled).map_err(io::Error::other)?) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
