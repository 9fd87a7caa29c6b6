//! Tokens that were listed lately, with their metadata opened.
//!
//! Everything in a row is encrypted and bound to its place, and a list opens two records of each of its rows. Here lies what they
//! led to, beside the rows themselves: it stands for a row that is, byte for byte, the one that was opened, its principal's number included.
//! So the store is asked as ever, and whatever differs from what was opened is opened as if it had never been here. Of values
//! nothing is kept but what stands in the rows, their wrapped keys.
//!
//! An owner's are taken out when anything of that owner is written, so that what was deleted is not kept for longer than a list that
//! was under way, and the next write; and all of them when the vault is sealed. Nobody's list finds what another's has left here: it
//! is for owners, and each has a room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::found::Found;
use crate::port::{TokenRow, VersionHead};

/// Bytes kept of one owner, which are some 1,500 ordinary tokens, and of all. Past it that owner starts over, or whoever has most.
const BYTES_EACH: usize = 2 << 20;
const BYTES: usize = 8 << 20;
/// What a token takes beside what stands in it, and an attribute beside its texts, roughly.
const TOKEN_BYTES: usize = 896;
const ATTRIBUTE_BYTES: usize = 128;

type Tokens = HashMap<i64, Arc<Found>>;

#[derive(Default)]
struct Room {
    tokens: Tokens,
    bytes: usize,
}

#[derive(Default)]
struct Rooms {
    /// Which opening of the vault they are of; 0 while nothing is kept.
    opening: u64,
    owners: HashMap<u32, Room>,
    bytes: usize,
}

impl Rooms {
    fn clear(&mut self, owner: u32) -> Tokens {
        let room = self.owners.remove(&owner).unwrap_or_default();
        self.bytes -= room.bytes;
        room.tokens
    }

    fn clear_largest(&mut self) -> Tokens {
        let largest = self.owners.iter().max_by_key(|(_, room)| room.bytes).map(|(owner, _)| *owner);
        largest.map(|owner| self.clear(owner)).unwrap_or_default()
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Listed(Mutex<Rooms>);

impl Listed {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes everything out, and keeps from now on what is opened with the keys of this opening of the vault; 0: nothing.
    pub(crate) fn restart(&self, opening: u64) {
        let cleared = std::mem::replace(&mut *self.rooms(), Rooms { opening, ..Rooms::default() });
        drop(cleared);
    }

    /// Takes everything of an owner out.
    pub(crate) fn clear(&self, owner: u32) {
        let cleared = self.rooms().clear(owner);
        // After the lock is released.
        drop(cleared);
    }

    /// What these rows of an owner's principal were opened to, with the keys of an opening.
    pub(super) fn find(&self, opening: u64, owner: u32, (row, head): (&TokenRow, &VersionHead)) -> Option<Arc<Found>> {
        let found = {
            let rooms = self.rooms();
            let room = rooms.owners.get(&owner).filter(|_| rooms.opening == opening)?;
            Arc::clone(room.tokens.get(&row.id)?)
        };
        (found.row == *row && found.head == *head).then_some(found)
    }

    /// Keeps what was opened.
    pub(super) fn keep(&self, opening: u64, owner: u32, found: &Arc<Found>) {
        let added = bytes(found);
        let mut rooms = self.rooms();
        if rooms.opening != opening {
            return;
        }
        let cleared = if rooms.owners.get(&owner).is_some_and(|room| room.bytes + added > BYTES_EACH) {
            rooms.clear(owner)
        } else if rooms.bytes + added > BYTES {
            rooms.clear_largest()
        } else {
            Tokens::new()
        };
        let room = rooms.owners.entry(owner).or_default();
        let replaced = room.tokens.insert(found.row.id, Arc::clone(found));
        let less = replaced.as_deref().map_or(0, bytes);
        room.bytes = room.bytes + added - less;
        rooms.bytes = rooms.bytes + added - less;
        drop(rooms);
        drop((cleared, replaced));
    }
}

/// What a token takes here.
fn bytes(found: &Found) -> usize {
    let attributes = found.meta.attributes.iter().map(|(key, value)| ATTRIBUTE_BYTES + key.len() + value.len());
    let rows = found.row.meta.len() + found.head.meta.len() + found.head.dek.len();
    TOKEN_BYTES + rows + found.meta.name.len() + found.version.content_type.len() + attributes.sum::<usize>()
}
