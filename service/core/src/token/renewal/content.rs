//! A copy of what lies in chunks, under a new DEK.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Renewal;
use crate::Secret;
use crate::crypto::{KEY_BYTES, chunk, random};
use crate::error::Error;
use crate::port::{ReadTx, TokenRow};
use crate::vault::{Effect, Event, Vault, daemon};

/// Chunks that are written at one time.
const STEP: u32 = 8;

/// What it is called in the queue of writes.
const OPERATION: &str = "Rotate";

/// A copy that a version may have in the place of its content.
pub(crate) struct NewContent {
    /// The content it was made of.
    pub of: i64,
    /// Its own number.
    pub id: i64,
    /// The key of its chunks.
    pub dek: Secret,
    vault: Arc<Vault>,
    principal: i64,
    /// Which store it is in.
    store: u64,
}

/// A content that is to be copied.
pub(crate) struct OldContent {
    id: i64,
    size: u64,
    dek: Secret,
}

impl Drop for NewContent {
    /// Nothing comes of it where no version has it.
    fn drop(&mut self) {
        self.vault.abandon_content(self.principal, self.id, self.store);
    }
}

impl Renewal {
    /// The contents of a token whose DEKs are to be replaced.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when something of it does not open where it stands.
    pub fn old_contents(&self, tx: &dyn ReadTx, row: &TokenRow) -> Result<Vec<OldContent>, Error> {
        let (mut found, records): (Vec<OldContent>, _) = (Vec::new(), self.records());
        if !self.reencrypts {
            return Ok(found);
        }
        let meta = records.open_token(row)?;
        for head in tx.versions(row.id)? {
            let Some(id) = head.content.filter(|id| found.iter().all(|old| old.id != *id)) else { continue };
            let version = records.open_version(&head)?;
            if !self.wants_dek(&version) {
                continue;
            }
            match records.open_dek((row, &meta), (&head, &version), self.vault.memory()) {
                Ok(dek) => found.push(OldContent { id, size: version.size, dek }),
                Err(Error::Locked) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Copies a content, a few chunks at a time; `None` when it is gone by now. `goes_on` is asked in between. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or written, or is not to go on. What was written so far is removed by the store.
    pub fn copy(&self, old: &OldContent, goes_on: &dyn Fn() -> Result<(), Error>) -> Result<Option<NewContent>, Error> {
        let (vault, principal) = (&self.vault, self.principal.id);
        let store = vault.exchanges.load(Ordering::Acquire);
        let dek = random::secret(vault.memory(), KEY_BYTES)?;
        let event = Event::new(&daemon(), OPERATION);
        let id = vault.write_and_wait(event, Effect::Grows, move |tx| Ok(tx.begin_content(principal)?))?;
        let copy = NewContent { of: old.id, id, dek, vault: Arc::clone(vault), principal, store };
        Ok(self.copy_chunks(old, &copy, goes_on)?.then_some(copy))
    }

    fn copy_chunks(
        &self,
        old: &OldContent,
        copy: &NewContent,
        goes_on: &dyn Fn() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let count = u32::try_from(chunk::count(old.size)).map_err(|_| Error::Internal("a value is too long".into()))?;
        let mut number = 0;
        while number < count {
            goes_on()?;
            let end = number.saturating_add(STEP).min(count);
            let mut sealed = Vec::new();
            for number in number..end {
                let Some(body) = self.copy_chunk(old, copy, (number, count))? else { return Ok(false) };
                sealed.push((number, body));
            }
            let (id, bytes) = (copy.id, sealed.len() * chunk::CHUNK_BYTES);
            let event = Event::new(&daemon(), OPERATION);
            self.vault.write_and_wait(event, Effect::GrowsBy(bytes), move |tx| {
                Ok(sealed.iter().try_for_each(|(number, body)| tx.insert_chunk(id, *number, body))?)
            })?;
            number = end;
        }
        Ok(true)
    }

    fn copy_chunk(
        &self,
        old: &OldContent,
        copy: &NewContent,
        (number, count): (u32, u32),
    ) -> Result<Option<Vec<u8>>, Error> {
        let (vault, memory) = (&self.open.id, self.vault.memory());
        let missing = || Error::Quarantined(format!("chunk {number} of content {} is missing", old.id));
        let body = self.vault.read(|tx| {
            if !tx.has_content(old.id)? {
                return Ok(None);
            }
            tx.chunk(old.id, number)?.ok_or_else(missing).map(Some)
        })?;
        let Some(body) = body else { return Ok(None) };
        let is_last = number + 1 == count;
        let before = u64::from(number) * chunk::CHUNK_BYTES as u64;
        let len = usize::try_from(old.size.saturating_sub(before)).unwrap_or(usize::MAX).min(chunk::CHUNK_BYTES);
        let place = |content| chunk::Place { vault, content, number, is_last };
        let part = chunk::open(&old.dek, &place(old.id), len, &body, memory)?;
        Ok(Some(chunk::seal(&copy.dek, &place(copy.id), part.expose(), memory)?))
    }
}
