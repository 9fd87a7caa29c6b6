//! Tokens that were listed lately, with their metadata opened.
//!
//! Everything in a row is encrypted and bound to its place, and a list opens two records of each of its rows. Here lies what they
//! led to, beside the rows themselves: it stands for a row that is, byte for byte, the one that was opened, of the same principal.
//! So the store is asked as ever, nothing has to be taken out when somebody writes, and a row that was changed is opened, and
//! found to be damaged, as if it had never been here. Values and their keys are not kept.
//!
//! It belongs to the open vault and goes with its keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::found::Found;
use crate::port::{TokenRow, VersionHead};
use crate::principal::Principal;

/// Tokens that have a place. Which one is told by the number of the row: those of one page stand beside each other.
const PLACES: usize = 4_096;
/// Longest metadata that is kept, both records of a token together: a full room has some 8 MiB of ordinary tokens, 16 at most.
const META_BYTES_MAX: usize = 1_024;

type Place = Option<([u8; 16], Arc<Found>)>;

/// All of them.
pub(crate) struct Listed(Box<[Mutex<Place>]>);

impl Default for Listed {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(PLACES).collect())
    }
}

impl Listed {
    /// What these rows of a principal were opened to.
    pub(super) fn find(&self, principal: &Principal, row: &TokenRow, head: &VersionHead) -> Option<Arc<Found>> {
        let place = self.place(row.id)?;
        let (generation, found) = place.as_ref()?;
        let is_it = *generation == principal.generation && found.row == *row && found.head == *head;
        is_it.then(|| Arc::clone(found))
    }

    /// Keeps what was opened in the place of what was there.
    pub(super) fn keep(&self, principal: &Principal, found: &Arc<Found>) {
        if found.row.meta.len() + found.head.meta.len() > META_BYTES_MAX {
            return;
        }
        let replaced =
            self.place(found.row.id).map(|mut place| place.replace((principal.generation, Arc::clone(found))));
        drop(replaced);
    }

    fn place(&self, token: i64) -> Option<MutexGuard<'_, Place>> {
        let number = usize::try_from(token.unsigned_abs()).ok()? % PLACES;
        // Nothing panics while a lock is held.
        Some(self.0.get(number)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
