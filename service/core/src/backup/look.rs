//! What can be told of a backup without a key: its header, and whether its chunks are all there and have the right lengths.

use std::io::Read;

use super::chunk::{At, check_end, next};
use super::error::BackupError;
use super::header::Header;
use crate::port::Progress;

/// How often it is said how far it is, in chunks.
const STEP: u64 = 64;

/// A backup from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its header, which nobody has vouched for.
    pub header: Header,
    /// Chunks.
    pub chunks: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes of what is encrypted.
    pub text_bytes: u64,
}

impl Header {
    /// Reads the header alone.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn of(mut from: impl Read) -> Result<Self, BackupError> {
        Self::read(&mut from).map(|(header, _, _)| header)
    }
}

/// Reads a whole backup; `progress` is told of the bytes, whose number is not known.
///
/// # Errors
/// See [`BackupError`].
pub fn outline(mut from: impl Read, progress: &dyn Progress) -> Result<Outline, BackupError> {
    let (header, _, offset) = Header::read(&mut from)?;
    let (mut at, mut text_bytes) = (At { number: 0, offset }, 0);
    loop {
        let chunk = next(&mut from, &mut at)?;
        text_bytes += chunk.text_bytes();
        if chunk.is_last {
            check_end(&mut from, at)?;
            return Ok(Outline { header, chunks: at.number, bytes: at.offset, text_bytes });
        }
        if at.number.is_multiple_of(STEP) {
            progress.report(at.offset, 0).map_err(|_| BackupError::Cancelled)?;
        }
    }
}
