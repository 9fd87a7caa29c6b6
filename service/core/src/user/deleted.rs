//! Users who were deleted while the vault could not be told: a note says so, and their tokens are frozen before the vault
//! serves anybody again, or within a minute where it serves already.
//!
//! A note names the user by the name alone, since who deletes it does so before the uid could be asked for: every principal
//! that was taken in under that name before is frozen. Whoever is given uid and name later is another one. The vault cannot
//! remove a note. It keeps in the store which ones it has heeded, so that none is heeded again after the tokens were adopted,
//! and forgets them when they are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use super::Work;
use crate::Timestamp;
use crate::crypto::Aad;
use crate::error::Error;
use crate::port::{DeletionNote, DeletionNotes, MetaKey};
use crate::principal::encode;
use crate::vault::{Change, Effect, Event, OpenVault, Vault, daemon};

const PURPOSE: &str = "heeded-notes";
/// Principals read in one step, and notes that are heeded before that is written down.
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

/// How what is kept of heeded notes is sealed.
pub(crate) fn heeded_sealing(open: &OpenVault) -> (&'static str, Aad) {
    (PURPOSE, aad(open))
}

/// A principal that is not frozen: its uid, and when it was taken in.
type Taken = (u32, Timestamp);

/// Whom notes may mean.
#[derive(Default)]
struct Meant {
    /// By the name they were taken in under.
    by_name: BTreeMap<String, Vec<Taken>>,
    by_uid: BTreeMap<u32, Taken>,
}

impl Vault {
    /// Says where the notes are. The first one stays.
    pub fn heed_notes_of(&self, notes: impl DeletionNotes + 'static) {
        let _first_stays = self.deletion_notes.set(Box::new(notes));
    }

    /// The notes that are there. Answers also while the vault is not open. Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when not all can be read.
    pub fn deletions(&self) -> Result<Vec<Deletion>, Error> {
        let (notes, trouble) = self.read_notes();
        if let Some(trouble) = trouble {
            return Err(Error::Unavailable(trouble));
        }
        let heeded = match self.open() {
            Ok(open) if !notes.is_empty() => self.heeded_notes(&open)?,
            _ => BTreeSet::new(),
        };
        Ok(notes.into_iter().map(|note| Deletion { done: heeded.contains(&note.id), note }).collect())
    }

    /// Heeds what was left while the vault is open; nothing while it is not. Costs one look at the notes where there are none.
    /// Blocks.
    pub fn heed_new_deletions(self: &Arc<Self>) {
        if let Ok(open) = self.open() {
            self.heed_deletions(&open);
        }
    }

    /// Freezes whom the notes name that were not heeded yet. With keys that are not in use yet nobody is served before. Blocks.
    pub(crate) fn heed_deletions(self: &Arc<Self>, open: &Arc<OpenVault>) {
        let Some(notes) = self.deletion_notes.get() else { return };
        let _turn = self.heeding.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, heeded) = (self.now(), self.try_heed_deletions(open));
        if heeded.is_ok() {
            open.note_heeded(begun);
        }
        notes.tell_heeded(&heeded);
    }

    /// What goes wrong with one note keeps no other from being heeded.
    fn try_heed_deletions(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let (notes, trouble) = self.read_notes();
        let is_whole = trouble.is_none();
        let mut outcome = trouble.map_or(Ok(()), |trouble| Err(Error::Unavailable(trouble)));
        if notes.is_empty() {
            return outcome;
        }
        let mut heeded = self.heeded_notes(open)?;
        let present: BTreeSet<String> = notes.iter().map(|note| note.id.clone()).collect();
        let fresh: Vec<DeletionNote> = notes.into_iter().filter(|note| !heeded.contains(&note.id)).collect();
        if fresh.is_empty() {
            return outcome;
        }
        let all = self.principals_meant(open, &fresh)?;
        for step in fresh.chunks(STEP) {
            for note in step {
                match self.heed(open, note, &all) {
                    Ok(()) => drop(heeded.insert(note.id.clone())),
                    Err(error) => outcome = Err(error),
                }
            }
            if is_whole {
                heeded.retain(|id| present.contains(id));
            }
            if let Err(error) = self.keep_heeded(open, &heeded) {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Freezes all whom a note means, and ends what was shared with its uid. One that cannot be written keeps none of the others
    /// from being withheld.
    fn heed(self: &Arc<Self>, open: &Arc<OpenVault>, note: &DeletionNote, all: &Meant) -> Result<(), Error> {
        let by_name = all.by_name.get(&note.user).into_iter().flatten();
        let by_uid = note.uid.and_then(|uid| all.by_uid.get(&uid));
        let present = by_name.chain(by_uid).filter(|(_, enrolled)| !self.came_after(open, *enrolled, note));
        let uids: BTreeSet<u32> = present.map(|(uid, _)| *uid).collect();
        let frozen: Vec<_> = uids.iter().map(|uid| self.freeze_deleted(open, *uid)).collect();
        // Who has stored nothing may have been shared with. What was shared since with whoever came after the note ends too: nobody
        // can tell it from what was before.
        let remains = |uid: &u32| *uid != 0 && !uids.contains(uid);
        if let Some(uid) = note.uid.filter(remains) {
            self.end_shares_with(&daemon(), open, uid)?;
        }
        frozen.into_iter().collect()
    }

    /// Whether somebody was certainly taken in after a note was left: under this opening, after a look that found nothing left to
    /// heed. Where the clock is wrong nobody was; nor by a note's date alone, which a clock has written that may have been.
    fn came_after(&self, open: &OpenVault, enrolled: Timestamp, note: &DeletionNote) -> bool {
        open.heeded_by(enrolled) && note.time < enrolled && enrolled <= self.wall() && self.clock_is_behind_usec() == 0
    }

    /// Whatever comes of the writing, nobody is given these tokens by the present keys.
    fn freeze_deleted(self: &Arc<Self>, open: &Arc<OpenVault>, uid: u32) -> Result<(), Error> {
        let work = Work::with(self, Arc::clone(open), &daemon(), "FreezeUser", uid);
        let is_told = open.withholds(uid);
        open.withhold(uid, true);
        drop(Change::begin(open, uid));
        let written = self.without_hot(uid, || {
            // First what would not be found again: who is frozen is not named any more.
            self.end_shares_with(&daemon(), open, uid)?;
            work.freeze()
        });
        if written.is_ok() {
            open.withhold(uid, false);
            drop(Change::begin(open, uid));
        }
        // While the vault is not open no login is.
        let _was_open = work.close_login();
        if let Some(notes) = self.deletion_notes.get().filter(|_| written.is_ok() || !is_told) {
            notes.tell_frozen(uid, &written);
        }
        written
    }

    fn read_notes(&self) -> (Vec<DeletionNote>, Option<String>) {
        self.deletion_notes.get().map_or_else(Default::default, |notes| notes.read())
    }

    /// All who were taken in under a name or with a uid of these notes and are not frozen.
    fn principals_meant(&self, open: &OpenVault, notes: &[DeletionNote]) -> Result<Meant, Error> {
        let uids: BTreeSet<u32> = notes.iter().filter_map(|note| note.uid).collect();
        let by_name = notes.iter().map(|note| (note.user.clone(), Vec::new())).collect();
        let (mut meant, mut last) = (Meant { by_name, ..Meant::default() }, 0);
        loop {
            let rows = self.read(|tx| Ok(tx.principals(last, STEP)?))?;
            let Some(newest) = rows.last() else { return Ok(meant) };
            last = newest.id;
            // A row that does not open is served to nobody.
            let records = rows.iter().filter_map(|row| open.keys(self).open_record(row).ok());
            for record in records.filter(|record| record.uid != 0 && record.frozen.is_none()) {
                let taken = (record.uid, record.enrolled);
                if let Some(principals) = meant.by_name.get_mut(&record.user) {
                    principals.push(taken);
                }
                if uids.contains(&record.uid) {
                    meant.by_uid.insert(record.uid, taken);
                }
            }
        }
    }

    /// Where what was written of it does not open, none was: who was adopted since is then frozen once more.
    fn heeded_notes(&self, open: &OpenVault) -> Result<BTreeSet<String>, Error> {
        let Some(sealed) = self.read(|tx| Ok(tx.meta(MetaKey::HeededNotes)?))? else { return Ok(BTreeSet::new()) };
        let opened = open.users_key().open_record(PURPOSE, aad(open).as_bytes(), &sealed);
        Ok(opened.ok().and_then(|bytes| minicbor::decode(&bytes).ok()).unwrap_or_default())
    }

    fn keep_heeded(self: &Arc<Self>, open: &Arc<OpenVault>, heeded: &BTreeSet<String>) -> Result<(), Error> {
        let (event, open, heeded) = (Event::new(&daemon(), "HeededNotes"), Arc::clone(open), encode(heeded)?);
        self.write_and_wait(event, Effect::Reserved, move |tx| {
            let sealed = open.users_key().seal(PURPOSE, aad(&open).as_bytes(), &heeded)?;
            Ok(tx.set_meta(MetaKey::HeededNotes, &sealed)?)
        })
    }
}
