//! Users who were deleted while the vault could not be told: a note says so, and their tokens are frozen before the vault
//! serves anybody again.
//!
//! A note names the user by the name alone, since who deletes it does so before the uid could be asked for: every principal
//! that was taken in under that name is frozen. Whoever is given uid and name later is another one. The vault cannot remove a
//! note. It keeps in the store which ones it has heeded, so that none is heeded again after the tokens were adopted, and
//! forgets them when they are gone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Work;
use crate::crypto::{Aad, wrap};
use crate::error::Error;
use crate::port::{DeletionNote, DeletionNotes, MetaKey};
use crate::principal::encode;
use crate::vault::{Change, Effect, Event, OpenVault, Vault, daemon};

const PURPOSE: &str = "heeded-notes";
/// Principals read in one step.
const STEP: usize = 256;

/// A note about a user who was deleted, and whether the vault has heeded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The note.
    pub note: DeletionNote,
    /// Whether it was heeded; false while the vault is not open, which then does not know.
    pub done: bool,
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

impl Vault {
    /// Says where the notes are. The first one stays.
    pub fn heed_notes_of(&self, notes: impl DeletionNotes + 'static) {
        let _first_stays = self.deletion_notes.set(Box::new(notes));
    }

    /// The notes that are there. Answers also while the vault is not open. Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when they cannot be read.
    pub fn deletions(&self) -> Result<Vec<Deletion>, Error> {
        let heeded = match self.open() {
            Ok(open) => self.heeded_notes(&open)?,
            Err(_) => BTreeSet::new(),
        };
        let notes = self.read_notes()?.into_iter();
        Ok(notes.map(|note| Deletion { done: heeded.contains(&note.id), note }).collect())
    }

    /// Freezes whom the notes name that were not heeded yet. With keys that are not in use yet nobody is served before. Blocks.
    pub(crate) fn heed_deletions(self: &Arc<Self>, open: &Arc<OpenVault>) {
        if let Err(error) = self.try_heed_deletions(open)
            && let Some(notes) = self.deletion_notes.get()
        {
            notes.tell_failed(&error);
        }
    }

    fn try_heed_deletions(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let notes = self.read_notes()?;
        if notes.is_empty() {
            return Ok(());
        }
        let mut heeded = self.heeded_notes(open)?;
        let fresh = notes.iter().filter(|note| !heeded.contains(&note.id));
        let names: BTreeSet<&str> = fresh.map(|note| note.user.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        // One that cannot be written keeps none of the others from being withheld.
        let frozen: Vec<_> =
            self.uids_named(open, &names)?.into_iter().map(|uid| self.freeze_deleted(open, uid)).collect();
        frozen.into_iter().collect::<Result<(), Error>>()?;
        heeded = notes.into_iter().map(|note| note.id).collect();
        self.keep_heeded(open, &heeded)
    }

    /// Whatever comes of the writing, nobody is given these tokens by the present keys.
    fn freeze_deleted(self: &Arc<Self>, open: &Arc<OpenVault>, uid: u32) -> Result<(), Error> {
        let work = Work::with(self, Arc::clone(open), &daemon(), "FreezeUser", uid);
        open.withhold(uid, true);
        drop(Change::begin(open, uid));
        let written = self.without_hot(uid, || work.freeze());
        if written.is_ok() {
            open.withhold(uid, false);
            drop(Change::begin(open, uid));
        }
        // While the vault is not open no login is.
        let _was_open = work.close_login();
        if let Some(notes) = self.deletion_notes.get() {
            notes.tell_frozen(uid, &written);
        }
        written
    }

    fn read_notes(&self) -> Result<Vec<DeletionNote>, Error> {
        let Some(notes) = self.deletion_notes.get() else { return Ok(Vec::new()) };
        notes.read().map_err(Error::Unavailable)
    }

    /// The uids of all who were taken in under one of these names and are not frozen.
    fn uids_named(&self, open: &OpenVault, names: &BTreeSet<&str>) -> Result<Vec<u32>, Error> {
        let (mut uids, mut last) = (Vec::new(), 0);
        loop {
            let rows = self.read(|tx| Ok(tx.principals(last, STEP)?))?;
            let Some(newest) = rows.last() else { return Ok(uids) };
            last = newest.id;
            // A row that does not open is served to nobody.
            let records = rows.iter().filter_map(|row| open.keys(self).open_record(row).ok());
            let meant = records.filter(|record| record.uid != 0 && record.frozen.is_none());
            uids.extend(meant.filter(|record| names.contains(record.user.as_str())).map(|record| record.uid));
        }
    }

    fn heeded_notes(&self, open: &OpenVault) -> Result<BTreeSet<String>, Error> {
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::HeededNotes)?))? else { return Ok(BTreeSet::new()) };
        let bytes = wrap::open_record(open.users_key(), PURPOSE, aad(open).as_bytes(), &sealed)?;
        minicbor::decode(&bytes).map_err(|error| Error::Quarantined(format!("the heeded notes: {error}")))
    }

    fn keep_heeded(self: &Arc<Self>, open: &OpenVault, heeded: &BTreeSet<String>) -> Result<(), Error> {
        let sealed = wrap::seal(open.users_key(), PURPOSE, aad(open).as_bytes(), &encode(heeded)?)?;
        let event = Event::new(&daemon(), "HeededNotes");
        self.write_and_wait(event, Effect::Reserved, move |tx| Ok(tx.set_meta(MetaKey::HeededNotes, &sealed)?))
    }
}
