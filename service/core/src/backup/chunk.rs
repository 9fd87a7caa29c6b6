//! The chunks: a text of any length, written and read in pieces that only open in their places.

use std::io::{Read, Write};

use super::CHUNK_BYTES;
use super::error::BackupError;
use super::header::{HeaderHash, fill};
use crate::Secret;
use crate::crypto::{Aad, CryptoError, wrap};

const PURPOSE: &str = "backup-chunk";
/// Kinds of chunks: more follow, or none.
const MORE: u8 = 0;
const LAST: u8 = 1;
/// Bytes before the ciphertext of a chunk.
const PREFIX: usize = 5;

fn place(header: &HeaderHash, number: u64, is_last: bool) -> Aad {
    Aad::new("backup-chunk").bytes(header).u64(number).u8(u8::from(is_last))
}

/// Encrypts what is written, chunk by chunk.
pub(super) struct ChunkWriter<'w> {
    out: &'w mut dyn Write,
    key: Secret,
    header: HeaderHash,
    number: u64,
    waiting: Vec<u8>,
    written: u64,
}

impl<'w> ChunkWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write, key: Secret, header: HeaderHash, written: u64) -> Self {
        Self { out, key, header, number: 0, waiting: Vec::with_capacity(CHUNK_BYTES), written }
    }

    pub(super) fn push(&mut self, mut text: &[u8]) -> Result<(), BackupError> {
        while !text.is_empty() {
            // Only what is followed by something is not the last one.
            if self.waiting.len() == CHUNK_BYTES {
                self.put(false)?;
            }
            let room = CHUNK_BYTES.saturating_sub(self.waiting.len()).min(text.len());
            let (now, later) = text.split_at(room);
            self.waiting.extend_from_slice(now);
            text = later;
        }
        Ok(())
    }

    /// Writes the last chunk; bytes of the whole stream.
    pub(super) fn finish(mut self) -> Result<u64, BackupError> {
        self.put(true)?;
        self.out.flush().map_err(|cause| BackupError::Io { what: "written", cause })?;
        Ok(self.written)
    }

    fn put(&mut self, is_last: bool) -> Result<(), BackupError> {
        let aad = place(&self.header, self.number, is_last);
        let sealed = wrap::seal(&self.key, PURPOSE, aad.as_bytes(), &self.waiting)?;
        let len = u32::try_from(sealed.len()).map_err(|_| CryptoError::TooLong)?;
        let [a, b, c, d] = len.to_be_bytes();
        let prefix = [if is_last { LAST } else { MORE }, a, b, c, d];
        let written = self.out.write_all(&prefix).and_then(|()| self.out.write_all(&sealed));
        written.map_err(|cause| BackupError::Io { what: "written", cause })?;
        self.written += (PREFIX + sealed.len()) as u64;
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }
}

/// A chunk as it stands in the stream.
pub(super) struct Chunk {
    pub(super) is_last: bool,
    sealed: Vec<u8>,
}

impl Chunk {
    /// Bytes of its plaintext.
    pub(super) fn text_bytes(&self) -> u64 {
        self.sealed.len().saturating_sub(wrap::OVERHEAD) as u64
    }
}

/// Where in a stream its reader is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    /// Number of the next chunk.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) offset: u64,
}

impl At {
    pub(super) const fn wrong(self, what: &'static str) -> BackupError {
        BackupError::Chunk { chunk: self.number, offset: self.offset, what }
    }
}

/// Reads the next chunk, and moves on; it may be anything, of a length that makes sense.
pub(super) fn next(from: &mut dyn Read, at: &mut At) -> Result<Chunk, BackupError> {
    let cut_off = |found: usize| BackupError::CutOff { chunk: at.number, offset: at.offset + found as u64 };
    let mut prefix = [0; PREFIX];
    let found = fill(from, &mut prefix)?;
    if found < PREFIX {
        return Err(cut_off(found));
    }
    let [kind, len @ ..] = prefix;
    let len = u32::from_be_bytes(len) as usize;
    let (is_last, is_long_enough) = match kind {
        MORE => (false, len == CHUNK_BYTES + wrap::OVERHEAD),
        LAST => (true, (wrap::OVERHEAD..=CHUNK_BYTES + wrap::OVERHEAD).contains(&len)),
        _ => return Err(at.wrong("does not begin as a chunk does")),
    };
    if !is_long_enough {
        return Err(at.wrong("has a length that no chunk has"));
    }
    let mut sealed = vec![0; len];
    let found = fill(from, &mut sealed)?;
    if found < len {
        return Err(cut_off(PREFIX + found));
    }
    *at = At { number: at.number + 1, offset: at.offset + (PREFIX + len) as u64 };
    Ok(Chunk { is_last, sealed })
}

/// Refuses what follows the last chunk.
pub(super) fn check_end(from: &mut dyn Read, at: At) -> Result<(), BackupError> {
    match fill(from, &mut [0])? {
        0 => Ok(()),
        _ => Err(BackupError::Trailing { offset: at.offset }),
    }
}

/// Decrypts what is read, chunk by chunk.
pub(super) struct ChunkReader<R> {
    from: R,
    key: Secret,
    header: HeaderHash,
    at: At,
    text: zeroize::Zeroizing<Vec<u8>>,
    /// How much of it was taken.
    taken: usize,
    is_over: bool,
}

impl<R: Read> ChunkReader<R> {
    pub(super) fn new(from: R, key: Secret, header: HeaderHash, offset: u64) -> Self {
        let at = At { number: 0, offset };
        Self { from, key, header, at, text: Default::default(), taken: 0, is_over: false }
    }

    /// Bytes of the stream so far.
    pub(super) const fn read_bytes(&self) -> u64 {
        self.at.offset
    }

    /// Number of the chunk that what was taken last ends in.
    pub(super) const fn chunk(&self) -> u64 {
        self.at.number.saturating_sub(1)
    }

    /// Fills `room` with what comes next; false where the text is over before its first byte.
    ///
    /// # Errors
    /// Also where it ends in the middle.
    pub(super) fn take(&mut self, room: &mut [u8]) -> Result<bool, BackupError> {
        let mut len = 0;
        while let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty()) {
            let text = self.text.get(self.taken..).unwrap_or_default();
            if text.is_empty() {
                if !self.turn()? {
                    let ends = || BackupError::Contents { chunk: self.chunk(), what: "it ends too soon".into() };
                    return if len == 0 { Ok(false) } else { Err(ends()) };
                }
                continue;
            }
            let count = text.len().min(rest.len());
            rest.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            (self.taken, len) = (self.taken + count, len + count);
        }
        Ok(true)
    }

    /// Decrypts the next chunk; false after the last one, behind which nothing stands.
    fn turn(&mut self) -> Result<bool, BackupError> {
        if self.is_over {
            return Ok(false);
        }
        let here = self.at;
        let chunk = next(&mut self.from, &mut self.at)?;
        let aad = place(&self.header, here.number, chunk.is_last);
        self.text = wrap::open_record(&self.key, PURPOSE, aad.as_bytes(), &chunk.sealed).map_err(|error| {
            here.wrong(match error {
                CryptoError::WrongKey => "does not belong there, or was changed",
                _ => "was changed",
            })
        })?;
        self.taken = 0;
        self.is_over = chunk.is_last;
        if self.is_over {
            check_end(&mut self.from, self.at)?;
        }
        Ok(true)
    }
}
