//! A stored value on its way out: whole, or chunk by chunk.

use crate::crypto::{chunk, pad, wrap};
use crate::error::Error;
use crate::port::{ReadTx, VersionRow};
use crate::token::found::{Found, Shelf};
use crate::token::metadata::{Class, Records, VALUE};
use crate::vault::{OpenVault, Vault};
use crate::{Caller, Secret};

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
    /// Who reads it.
    reader: u32,
    /// The principal whose it is.
    owner: i64,
    class: Class,
    /// The token's row and the number of the version.
    version: (i64, u64),
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
        if !value.is_empty() {
            return Err(Error::Quarantined(format!("a version of token {} has a value twice", head.token)));
        }
        let missing = || Error::Quarantined(format!("the value of token {} has lost its chunks", head.token));
        if !tx.has_content(content)? {
            return Err(missing());
        }
        let first = tx.chunk(content, 0)?.ok_or_else(missing)?;
        Ok((head, Self::Chunked(first)))
    }

    /// Bytes of it that lie in memory at one time, of a value of `size`.
    pub fn at_once(&self, size: u64) -> u64 {
        match self {
            Self::Row(_) => size,
            Self::Chunked(_) => size.min(chunk::CHUNK_BYTES as u64),
        }
    }
}

impl Attachment {
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
    /// [`Error::NotFound`] when the last version that had it was deleted meanwhile, or the vault was sealed and opened again;
    /// [`Error::Sealed`] while it is; [`Error::AccessDenied`] when its owner or its reader was disabled, [`Error::Locked`] when
    /// its owner has logged out; [`Error::Quarantined`] when a chunk does not open where it stands. What came before is not the
    /// value then.
    pub fn read_chunk(&self, attachment: &mut Attachment) -> Result<Option<Secret>, Error> {
        if attachment.next_len() == 0 {
            return Ok(None);
        }
        let open = self.open()?;
        let blob = self.read(|tx| self.next_blob(&open, tx, attachment))?;
        attachment.open(&blob, self.memory()).map(Some)
    }

    /// The next chunk as it lies in the store, where it may be read still.
    fn next_blob(&self, open: &OpenVault, tx: &dyn ReadTx, attachment: &mut Attachment) -> Result<Vec<u8>, Error> {
        if open.opening != attachment.opening {
            return Err(Error::NotFound);
        }
        self.check_values_leave()?;
        let owner = self.find_principal_by_id(open, tx, attachment.owner)?;
        let reader = self.find_principal(open, tx, attachment.reader)?;
        if !owner.serves(attachment.reader) || reader.is_some_and(|reader| !reader.active) {
            return Err(Error::AccessDenied("who reads the value, or whose it is, was disabled meanwhile".into()));
        }
        let records = Records { open, principal: &owner };
        records.check_unlocked(attachment.class)?;
        if !tx.has_content(attachment.content)? {
            self.follow(records, tx, attachment)?;
        }
        let Attachment { content, next, .. } = *attachment;
        let missing = || Error::Quarantined(format!("chunk {next} of content {content} is missing"));
        tx.chunk(content, next)?.ok_or_else(missing)
    }

    /// Goes on with the content that the version has now, where its value was encrypted anew while it was read.
    fn follow(&self, records: Records<'_>, tx: &dyn ReadTx, attachment: &mut Attachment) -> Result<(), Error> {
        let (token, number) = attachment.version;
        let row = tx.token_by_id(token)?.ok_or(Error::NotFound)?;
        let head = tx.version_head(token, number)?.ok_or(Error::NotFound)?;
        let (meta, version) = (records.open_token(&row)?, records.open_version(&head)?);
        // The number of a version is never given again: this one has the same value.
        let content = head.content.filter(|_| version.size == attachment.size).ok_or(Error::NotFound)?;
        attachment.dek = records.open_dek((&row, &meta), (&head, &version), self.memory())?;
        attachment.content = content;
        Ok(())
    }

    /// Opens the value of a version that was found for a reader, or the first chunk of it.
    pub(in crate::token) fn open_stored(
        &self,
        (shelf, reader): (&Shelf<'_>, &Caller),
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
                let mut attachment = Attachment {
                    opening: shelf.open.opening,
                    vault: shelf.open.id,
                    reader: reader.uid,
                    owner: shelf.principal.id,
                    class: found.class()?,
                    version: (found.row.id, found.head.version),
                    content,
                    size: found.version.size,
                    next: 0,
                    dek,
                };
                let first = attachment.open(first, self.memory())?;
                Ok(OpenedValue::Chunked(first, attachment))
            }
            _ => Err(Error::Internal("a value is not where its version says".into())),
        }
    }

    /// All of a value that was opened, in memory. For those that are known to be short. What comes after the first chunk is read
    /// on `tx`: what was written in the same transaction is seen.
    pub(in crate::token) fn read_whole(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        value: OpenedValue,
    ) -> Result<Secret, Error> {
        let (mut part, mut attachment) = match value {
            OpenedValue::Whole(value) => return Ok(value),
            OpenedValue::Chunked(first, attachment) => (first, attachment),
        };
        let size = usize::try_from(attachment.size).map_err(|_| Error::Internal("a value is too long".into()))?;
        let mut whole = Secret::zeroed(self.memory(), size)?;
        let mut at = 0;
        loop {
            let end = at + part.len();
            let room = whole.expose_mut().get_mut(at..end);
            room.ok_or_else(|| Error::Internal("a value is longer than it is".into()))?.copy_from_slice(part.expose());
            if attachment.next_len() == 0 {
                return Ok(whole);
            }
            at = end;
            let blob = self.next_blob(open, tx, &mut attachment)?;
            part = attachment.open(&blob, self.memory())?;
        }
    }
}
