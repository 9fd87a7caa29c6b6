//! How much secret memory the values of each user may take, on their way in and out together.
//!
//! A share only counts. Whoever holds one asks it first and takes the memory then, so that one user's values cannot take
//! all of it, whatever they are waiting for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::arena::LockedArena;

/// Most of all users together: what is left of the arena is for keys, and for values while they are encrypted.
pub(super) const MOST: usize = LockedArena::DEFAULT_CAP / 4 * 3;

/// The smallest block of secret memory.
const SMALLEST: usize = 64;

/// A user has no more secret memory to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the values of this user that are under way take all the secret memory it may have")]
pub struct OverShare;

impl From<OverShare> for tokenvault_core::Error {
    fn from(_: OverShare) -> Self {
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

/// The shares of all users.
#[derive(Clone)]
pub(super) struct Shares(Arc<Mutex<Books>>);

struct Books {
    total: usize,
    used: usize,
    users: HashMap<u32, usize>,
}

impl Shares {
    /// Nobody has anything of `total` bytes yet.
    pub(super) fn new(total: usize) -> Self {
        Self(Arc::new(Mutex::new(Books { total, used: 0, users: HashMap::new() })))
    }

    /// A share of `uid` with nothing in it.
    pub(super) fn of(&self, uid: u32) -> Share {
        Share { shares: self.clone(), uid, bytes: 0 }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while the lock is held; if something did, the books are still the best there are.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn change(&mut self, uid: u32, from: usize, to: usize) -> Result<(), OverShare> {
        let own = self.users.get(&uid).copied().unwrap_or(0);
        let wanted = (own - from).checked_add(to).ok_or(OverShare)?;
        if to > from && wanted > fair(self.total, self.used - own) {
            return Err(OverShare);
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

/// What one value counts for. Given back on drop: it is kept as long as the value lies in secret memory.
pub struct Share {
    shares: Shares,
    uid: u32,
    bytes: usize,
}

impl Share {
    /// Makes this the share of a value of `len` bytes. Less is always granted.
    ///
    /// # Errors
    /// [`OverShare`]; the share stays what it was.
    pub(super) fn resize(&mut self, len: usize) -> Result<(), OverShare> {
        // Secret memory comes in blocks of powers of two.
        let bytes = len.max(SMALLEST).checked_next_power_of_two().ok_or(OverShare)?;
        self.shares.books().change(self.uid, self.bytes, bytes)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Giving back is never refused.
        let _given_back = self.shares.books().change(self.uid, self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(shares: &Shares, uid: u32, len: usize) -> Result<Share, OverShare> {
        let mut share = shares.of(uid);
        share.resize(len).map(|()| share)
    }

    #[test]
    fn whoever_takes_all_there_is_leaves_half_for_the_next() {
        let shares = Shares::new(1024 * 1024);
        let hoard = |uid| std::iter::from_fn(|| taken(&shares, uid, 65_536).ok()).collect::<Vec<_>>();
        let hoards = [1000, 1001, 1002].map(hoard);
        assert_eq!(hoards.map(|hoard| hoard.len()), [8, 4, 2]);
    }

    #[test]
    fn a_share_grows_within_what_the_user_may_have_and_no_further() {
        let shares = Shares::new(1024);
        let (mut share, other) = (taken(&shares, 1000, 64).unwrap(), taken(&shares, 1001, 256).unwrap());
        share.resize(256).unwrap();
        assert_eq!(share.resize(512), Err(OverShare));
        assert_eq!(share.resize(usize::MAX), Err(OverShare));
        drop(other);
        share.resize(512).unwrap();
    }

    #[test]
    fn what_is_given_back_is_there_again_and_no_user_is_remembered() {
        let shares = Shares::new(1024);
        let mut share = taken(&shares, 1000, 512).unwrap();
        assert!(taken(&shares, 1000, 1).is_err());
        share.resize(256).unwrap();
        drop(taken(&shares, 1000, 256).unwrap());
        drop(share);
        let books = shares.books();
        assert_eq!((books.used, books.users.len()), (0, 0));
    }
}
