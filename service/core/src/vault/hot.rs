//! Tokens that were read lately, opened: all that a `Get` needs but the caller's right to it.
//!
//! Everything in a row is encrypted and bound to its place, which costs several derivations and decryptions a read. Here
//! lies what they led to: the metadata, the encrypted value, and its key in secret memory. The value itself is decrypted
//! anew for each read and stays nowhere.
//!
//! What is found here is what the store would answer. A write takes everything of its owner's out before it is committed,
//! and until its end nothing of that owner is kept, so no read finds a state that a commit has ended. What was read before
//! a write began, or with keys that have been put away since, is not kept either.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::Secret;
use crate::crypto::aad::Aad;
use crate::moment::{End, Moment};
use crate::token::TokenInfo;

/// Bytes kept of one owner, which are some 2,000 short tokens, and of all. Past it that owner starts over, or whoever has most.
const BYTES_EACH: usize = 4 << 20;
const BYTES: usize = 16 << 20;
/// Longest encrypted value that is kept: decrypting a longer one costs more than finding it.
const VALUE_BYTES_MAX: usize = 4_096 + 128;
/// What a token takes beside its texts, roughly.
const TOKEN_BYTES: usize = 768;

/// A token as it was read.
pub struct HotToken {
    /// Whose it is; a uid may have belonged to somebody else when it was read.
    principal: i64,
    /// What its owner is told of it, and nobody else: others may do less.
    pub(crate) info: Arc<TokenInfo>,
    /// When it expires.
    end: Option<End>,
    /// The key its value is encrypted with.
    pub(crate) key: Secret,
    /// What the value is bound to.
    pub(crate) aad: Aad,
    /// The encrypted value.
    pub(crate) value: Vec<u8>,
    /// `info` as a door tells it.
    told: OnceLock<Box<[u8]>>,
}

impl HotToken {
    /// A token that was opened.
    pub(crate) fn new(
        (principal, info): (i64, Arc<TokenInfo>),
        end: Option<End>,
        key: Secret,
        aad: Aad,
        value: Vec<u8>,
    ) -> Self {
        Self { principal, info, end, key, aad, value, told: OnceLock::new() }
    }

    /// Whether it has expired.
    pub(crate) fn is_expired(&self, now: &Moment) -> bool {
        self.end.is_some_and(|end| end.has_come(now))
    }

    /// What its owner is told of it.
    pub fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// The same in the form that `encode` gives it the first time: it is kept with the token.
    pub fn told(&self, encode: impl FnOnce(&TokenInfo) -> Option<Box<[u8]>>) -> Option<&[u8]> {
        if let Some(told) = self.told.get() {
            return Some(told);
        }
        let told = encode(&self.info)?;
        Some(self.told.get_or_init(|| told))
    }

    /// Both forms of what is told included, whether or not the second one is there yet.
    fn bytes(&self) -> usize {
        TOKEN_BYTES + 2 * self.info.reply_bytes() + self.value.len()
    }
}

/// What a look for a token led to.
pub(crate) enum Look {
    /// The token.
    Found(Arc<HotToken>),
    /// It is not here; what is read instead may be kept, if this is shown.
    Missing(Ticket),
    /// What is read now is not to be kept.
    Busy,
}

/// When a read began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    opening: u64,
    owner: u32,
    state: u64,
}

type Tokens = HashMap<Box<str>, Arc<HotToken>>;

struct Shelf {
    tokens: Tokens,
    bytes: usize,
    /// Writes of this owner that are under way.
    writes: u32,
    /// Differs after each time that everything was taken out.
    state: u64,
}

#[derive(Default)]
struct Books {
    /// Which opening of the vault the tokens are of; 0 while nothing is kept.
    opening: u64,
    owners: HashMap<u32, Shelf>,
    bytes: usize,
    last_state: u64,
}

impl Books {
    fn shelf(&mut self, owner: u32) -> &mut Shelf {
        let last_state = &mut self.last_state;
        self.owners.entry(owner).or_insert_with(|| {
            *last_state += 1;
            Shelf { tokens: Tokens::new(), bytes: 0, writes: 0, state: *last_state }
        })
    }

    /// Takes everything of an owner out; to be dropped, which wipes, after the lock is released.
    fn clear(&mut self, owner: u32) -> Tokens {
        self.last_state += 1;
        let Some(shelf) = self.owners.get_mut(&owner) else { return Tokens::new() };
        self.bytes -= std::mem::take(&mut shelf.bytes);
        shelf.state = self.last_state;
        std::mem::take(&mut shelf.tokens)
    }

    /// Takes everything of the owner out who has most.
    fn clear_largest(&mut self) -> Tokens {
        let largest = self.owners.iter().max_by_key(|(_, shelf)| shelf.bytes).map(|(owner, _)| *owner);
        largest.map(|owner| self.clear(owner)).unwrap_or_default()
    }

    /// Takes everything out. The shelf of an owner with a write under way is needed until the write ends.
    fn clear_all(&mut self) -> Vec<Tokens> {
        let owners: Vec<u32> = self.owners.keys().copied().collect();
        let cleared = owners.into_iter().map(|owner| self.clear(owner)).collect();
        self.owners.retain(|_, shelf| shelf.writes > 0);
        cleared
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct HotTokens(Mutex<Books>);

impl HotTokens {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wipes everything and keeps from now on what is read with the keys of this opening of the vault; 0: nothing.
    pub(super) fn restart(&self, opening: u64) {
        let mut books = self.books();
        books.opening = opening;
        let cleared = books.clear_all();
        drop(books);
        drop(cleared);
    }

    /// Looks for a token of an owner, for a read with the keys of an opening.
    pub(super) fn find(&self, opening: u64, (owner, principal): (u32, i64), name: &str) -> Look {
        let mut books = self.books();
        if books.opening != opening {
            return Look::Busy;
        }
        let shelf = books.shelf(owner);
        match shelf.tokens.get(name) {
            Some(token) if token.principal == principal => Look::Found(Arc::clone(token)),
            _ if shelf.writes > 0 => Look::Busy,
            _ => Look::Missing(Ticket { opening, owner, state: shelf.state }),
        }
    }

    /// Keeps what was read, unless it may have changed since the read began.
    pub(super) fn keep(&self, ticket: Ticket, name: &str, token: Arc<HotToken>) {
        if token.value.len() > VALUE_BYTES_MAX {
            return;
        }
        let bytes = token.bytes();
        let mut books = self.books();
        if books.opening != ticket.opening || books.shelf(ticket.owner).state != ticket.state {
            return;
        }
        let cleared = if books.shelf(ticket.owner).bytes + bytes > BYTES_EACH {
            books.clear(ticket.owner)
        } else if books.bytes + bytes > BYTES {
            books.clear_largest()
        } else {
            Tokens::new()
        };
        let shelf = books.shelf(ticket.owner);
        let replaced = shelf.tokens.insert(name.into(), token);
        let less = replaced.as_ref().map_or(0, |token| token.bytes());
        shelf.bytes = shelf.bytes + bytes - less;
        books.bytes = books.bytes + bytes - less;
        drop(books);
        drop((cleared, replaced));
    }

    /// A write to the tokens of an owner begins.
    pub(super) fn begin_write(&self, owner: u32) {
        let mut books = self.books();
        let cleared = books.clear(owner);
        books.shelf(owner).writes += 1;
        drop(books);
        drop(cleared);
    }

    /// A write that was begun has ended, committed or not.
    pub(super) fn end_write(&self, owner: u32) {
        let mut books = self.books();
        let shelf = books.shelf(owner);
        shelf.writes = shelf.writes.saturating_sub(1);
        if shelf.writes == 0 && shelf.tokens.is_empty() {
            books.owners.remove(&owner);
        }
    }
}
