//! A stored value on its way out: whole, or chunk by chunk.

use crate::Secret;
use crate::crypto::{chunk, pad, wrap};
use crate::error::Error;
use crate::port::{ReadTx, VersionRow};
use crate::token::found::{Found, Shelf};
use crate::token::metadata::VALUE;
use crate::vault::{OpenVault, Vault};

/// A value that was opened.
pub enum OpenedValue {
    /// All of it.
    Whole(Secret),
    /// The first chunk of it, and where the rest comes from.
    Chunked(Secret, Attachment),
}

/// What is read chunk by chunk.
pub struct Attachment {
    /// Which opening of the vault it was found in: with another one nothing more of it is read.
    opening: u64,
    vault: crate::crypto::VaultId,
    content: i64,
    size: u64,
    next: u32,
    dek: Secret,
}

/// A value as it lies in the store.
pub(in crate::token) enum Stored {
    /// In the row.
    Row(Vec<u8>),
    /// In chunks; the first one.
    Chunked(Vec<u8>),
}

impl Stored {
    /// What a row says the value is, on the snapshot it was read on.
    pub fn find(tx: &dyn ReadTx, row: VersionRow) -> Result<(crate::port::VersionHead, Self), Error> {
        let VersionRow { head, value } = row;
        let Some(content) = head.content else { return Ok((head, Self::Row(value))) };
        let missing = || Error::Quarantined(format!("the value of token {} has lost its chunks", head.token));
        if !tx.has_content(content)? {
            return Err(missing());
        }
        let first = tx.chunk(content, 0)?.ok_or_else(missing)?;
        Ok((head, Self::Chunked(first)))
    }
}

impl Attachment {
    fn new(open: &OpenVault, found: &Found, content: i64, dek: Secret) -> Self {
        Self { opening: open.opening, vault: open.id, content, size: found.version.size, next: 0, dek }
    }

    /// Bytes in the chunk that comes next; 0 at the end.
    fn next_len(&self) -> usize {
        let left = self.size.saturating_sub(u64::from(self.next) * chunk::CHUNK_BYTES as u64);
        usize::try_from(left).unwrap_or(usize::MAX).min(chunk::CHUNK_BYTES)
    }

    fn open(&mut self, blob: &[u8], memory: &dyn crate::port::SecretMemory) -> Result<Secret, Error> {
        let (number, len) = (self.next, self.next_len());
        let is_last = u64::from(number) + 1 == chunk::count(self.size);
        let place = chunk::Place { vault: &self.vault, content: self.content, number, is_last };
        let part = chunk::open(&self.dek, &place, len, blob, memory)?;
        self.next += 1;
        Ok(part)
    }
}

impl Vault {
    /// Reads the next chunk; `None` at the end. Reads a few pages of the store.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the last version that had it was deleted meanwhile; [`Error::Quarantined`] when a chunk does not
    /// open where it stands; [`Error::Sealed`] when the vault was sealed. What came before is not the value then.
    pub fn read_chunk(&self, attachment: &mut Attachment) -> Result<Option<Secret>, Error> {
        if attachment.next_len() == 0 {
            return Ok(None);
        }
        if self.open()?.opening != attachment.opening {
            return Err(Error::NotFound);
        }
        let (content, number) = (attachment.content, attachment.next);
        let blob = self.read(|tx| {
            if !tx.has_content(content)? {
                return Err(Error::NotFound);
            }
            tx.chunk(content, number)?
                .ok_or_else(|| Error::Quarantined(format!("chunk {number} of content {content} is missing")))
        })?;
        attachment.open(&blob, self.memory()).map(Some)
    }

    /// Opens the value of a version that was found, or the first chunk of it.
    pub(in crate::token) fn open_stored(
        &self,
        shelf: &Shelf<'_>,
        found: &Found,
        stored: &Stored,
    ) -> Result<OpenedValue, Error> {
        let dek = self.open_dek(shelf, found)?;
        match (stored, found.head.content) {
            (Stored::Row(value), None) => {
                let aad = shelf.records().value_aad(found.row.id, found.head.version);
                let padded = wrap::open(&dek, VALUE, aad.as_bytes(), value, self.memory())?;
                Ok(OpenedValue::Whole(pad::unpad(padded)?))
            }
            (Stored::Chunked(first), Some(content)) => {
                let mut attachment = Attachment::new(shelf.open, found, content, dek);
                let first = attachment.open(first, self.memory())?;
                Ok(OpenedValue::Chunked(first, attachment))
            }
            _ => Err(Error::Internal("a value is not where its version says".into())),
        }
    }

    /// All of a value that was opened, in memory. For those that are known to be short.
    pub(in crate::token) fn read_whole(&self, value: OpenedValue) -> Result<Secret, Error> {
        let (first, mut attachment) = match value {
            OpenedValue::Whole(value) => return Ok(value),
            OpenedValue::Chunked(first, attachment) => (first, attachment),
        };
        let size = usize::try_from(attachment.size).map_err(|_| Error::Internal("a value is too long".into()))?;
        let mut whole = Secret::zeroed(self.memory(), size)?;
        let (mut at, mut part) = (0, Some(first));
        while let Some(bytes) = part {
            let end = at + bytes.len();
            let room = whole.expose_mut().get_mut(at..end);
            room.ok_or_else(|| Error::Internal("a value is longer than it is".into()))?.copy_from_slice(bytes.expose());
            (at, part) = (end, self.read_chunk(&mut attachment)?);
        }
        Ok(whole)
    }
}
