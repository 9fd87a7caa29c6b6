//! How much memory each user may take of what all have together: secret memory for values on their way in and out, and
//! memory for large replies that are not written yet.
//!
//! A portion only counts. Whoever holds one asks it first and takes the memory then, so that one user cannot take all of it,
//! whatever he is waiting for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::arena::LockedArena;

/// Most secret memory of all users together: what is left of the arena is for keys, and for values while they are encrypted.
pub(super) const MOST: usize = LockedArena::DEFAULT_CAP / 4 * 3;

/// The smallest block of secret memory.
const SMALLEST: usize = 64;

/// A user has no more memory to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is under way for this user takes all the memory it may have")]
pub struct OverPortion;

impl From<OverPortion> for tokenvault_core::Error {
    fn from(_: OverPortion) -> Self {
        Self::LimitsExceeded {
            limit: "secret-memory",
            retry: "end the values you are sending and read those you asked for, then retry".into(),
        }
    }
}

/// What one user may have of `total` when the others have `others`: half of what they leave. However many come, there is
/// something for the next one.
pub(super) const fn fair(total: usize, others: usize) -> usize {
    total.saturating_sub(others) / 2
}

/// The portions of all users.
#[derive(Clone)]
pub struct Portions(Arc<Mutex<Books>>);

struct Books {
    total: usize,
    used: usize,
    users: HashMap<u32, usize>,
}

impl Portions {
    /// Nobody has anything of `total` bytes yet.
    pub fn new(total: usize) -> Self {
        Self(Arc::new(Mutex::new(Books { total, used: 0, users: HashMap::new() })))
    }

    /// A portion of `uid` with nothing in it.
    pub fn of(&self, uid: u32) -> Portion {
        Portion { portions: self.clone(), uid, bytes: 0 }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while the lock is held; if something did, the books are still the best there are.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn change(&mut self, uid: u32, from: usize, to: usize) -> Result<(), OverPortion> {
        let own = self.users.get(&uid).copied().unwrap_or(0);
        let wanted = (own - from).checked_add(to).ok_or(OverPortion)?;
        if to > from && wanted > fair(self.total, self.used - own) {
            return Err(OverPortion);
        }
        self.used = self.used - own + wanted;
        if wanted == 0 {
            self.users.remove(&uid);
        } else {
            self.users.insert(uid, wanted);
        }
        Ok(())
    }
}

/// What one value or reply counts for. Given back on drop: it is kept as long as what it counts lies in memory.
pub struct Portion {
    portions: Portions,
    uid: u32,
    bytes: usize,
}

impl Portion {
    /// Makes this the portion of `len` bytes. Less is always granted.
    ///
    /// # Errors
    /// [`OverPortion`]; the portion stays what it was.
    pub fn resize(&mut self, len: usize) -> Result<(), OverPortion> {
        // Secret memory comes in blocks of powers of two.
        let bytes = len.max(SMALLEST).checked_next_power_of_two().ok_or(OverPortion)?;
        self.portions.books().change(self.uid, self.bytes, bytes)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        if self.bytes > 0 {
            // Giving back is never refused.
            let _given_back = self.portions.books().change(self.uid, self.bytes, 0);
            self.bytes = 0;
        }
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(portions: &Portions, uid: u32, len: usize) -> Result<Portion, OverPortion> {
        let mut portion = portions.of(uid);
        portion.resize(len).map(|()| portion)
    }

    #[test]
    fn whoever_takes_all_there_is_leaves_half_for_the_next() {
        let portions = Portions::new(1024 * 1024);
        let hoard = |uid| std::iter::from_fn(|| taken(&portions, uid, 65_536).ok()).collect::<Vec<_>>();
        let hoards = [1000, 1001, 1002].map(hoard);
        assert_eq!(hoards.map(|hoard| hoard.len()), [8, 4, 2]);
    }

    #[test]
    fn a_portion_grows_within_what_the_user_may_have_and_no_further() {
        let portions = Portions::new(1024);
        let (mut portion, other) = (taken(&portions, 1000, 64).unwrap(), taken(&portions, 1001, 256).unwrap());
        portion.resize(256).unwrap();
        assert_eq!(portion.resize(512), Err(OverPortion));
        assert_eq!(portion.resize(usize::MAX), Err(OverPortion));
        drop(other);
        portion.resize(512).unwrap();
    }

    #[test]
    fn what_is_given_back_is_there_again_and_no_user_is_remembered() {
        let portions = Portions::new(1024);
        let mut portion = taken(&portions, 1000, 512).unwrap();
        assert!(taken(&portions, 1000, 1).is_err());
        portion.resize(256).unwrap();
        drop(taken(&portions, 1000, 256).unwrap());
        drop(portion);
        let books = portions.books();
        assert_eq!((books.used, books.users.len()), (0, 0));
    }
}
