//! Who listens to what is announced, by what shares with them are found by.
//!
//! With whom a token is shared stands encrypted in its shares. To say it after each change, the writer would open hundreds of
//! them; so only those are opened that are with somebody who listens, and while nobody does none is looked at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{OpenVault, Vault};
use crate::Caller;
use crate::error::Error;
use crate::grantee::keys_of;
use crate::port::{ShareRow, Tag};

/// How the tag of a grantee begins. Where two begin alike a share is opened that nobody hears of; nobody is told by this.
type Mark = u64;

fn mark(tag: &Tag) -> Mark {
    tag.first_chunk().copied().map_or(0, u64::from_ne_bytes)
}

struct Listener {
    caller: Caller,
    marks: Vec<Mark>,
}

#[derive(Default)]
struct Books {
    all: HashMap<u64, Listener>,
    last: u64,
    /// Of which opening of the vault the marks are; 0: of none, they are made when they are needed.
    opening: u64,
    /// How many listeners have each.
    marks: HashMap<Mark, usize>,
}

impl Books {
    fn count(&mut self, marks: &[Mark]) {
        for mark in marks {
            *self.marks.entry(*mark).or_default() += 1;
        }
    }

    fn forget(&mut self, marks: &[Mark]) {
        for mark in marks {
            match self.marks.get_mut(mark) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.marks.remove(mark)),
            }
        }
    }

    /// Makes the marks of all listeners with the keys of this opening.
    fn mark_all(&mut self, open: &OpenVault) -> Result<(), Error> {
        self.marks.clear();
        for listener in self.all.values_mut() {
            listener.marks = marks_of(open, &listener.caller)?;
        }
        let marks: Vec<Mark> = self.all.values().flat_map(|listener| listener.marks.iter().copied()).collect();
        self.count(&marks);
        self.opening = open.opening;
        Ok(())
    }
}

fn marks_of(open: &OpenVault, caller: &Caller) -> Result<Vec<Mark>, Error> {
    Ok(keys_of(caller)?.into_iter().map(|key| mark(&open.key_tag(key))).collect())
}

/// All who listen.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Books>);

impl Listeners {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody listens, until this is dropped.
pub struct Listening {
    vault: Arc<Vault>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut books = self.vault.listeners.books();
        if let Some(listener) = books.all.remove(&self.number) {
            books.forget(&listener.marks);
        }
    }
}

impl Vault {
    /// Has it said of tokens that are shared with somebody that they are. What is being written at this moment may have been
    /// begun before: [`Vault::round_trip`] ends after that.
    ///
    /// # Errors
    /// As [`Caller::check_groups`].
    pub fn listen(self: &Arc<Self>, caller: &Caller) -> Result<Listening, Error> {
        caller.check_groups()?;
        // A vault that is not open announces nothing.
        let marked = match self.open() {
            Ok(open) => Some((open.opening, marks_of(&open, caller)?)),
            Err(_) => None,
        };
        let mut books = self.listeners.books();
        let marks = match marked {
            Some((opening, marks)) if opening == books.opening => marks,
            _ => {
                books.opening = 0;
                Vec::new()
            }
        };
        books.count(&marks);
        books.last += 1;
        let number = books.last;
        books.all.insert(number, Listener { caller: caller.clone(), marks });
        drop(books);
        Ok(Listening { vault: Arc::clone(self), number })
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        !self.listeners.books().all.is_empty()
    }

    /// Keeps of some shares those that are with somebody who listens.
    ///
    /// # Errors
    /// None: who has too many groups does not listen.
    pub(crate) fn keep_heard(&self, open: &OpenVault, shares: &mut Vec<ShareRow>) -> Result<(), Error> {
        let mut books = self.listeners.books();
        if books.opening != open.opening {
            books.mark_all(open)?;
        }
        shares.retain(|share| books.marks.contains_key(&mark(&share.grantee_tag)));
        Ok(())
    }
}
