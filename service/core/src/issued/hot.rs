//! Issued tokens that were validated lately, opened: all that a `Validate` needs but the caller's right to it and the secret.
//!
//! What is found here is what the store would answer. A write that ends or uses a token takes it out before it is queued, and
//! until it has ended that token is not kept; nor is anything that was read before some write began.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::list::IssuedInfo;
use super::record::{IssuedKey, IssuedMeta};
use super::{Audience, IssuedId, Kind};
use crate::port::{IssuedRow, Tag};
use crate::principal::Principal;

/// Most tokens kept, of one issuer and of all. Past it that issuer starts over, or whoever has most.
const TOKENS_EACH: usize = 2_048;
const TOKENS: usize = 8_192;
/// What is told of a token that is kept is no longer than this.
const REPLY_BYTES_MAX: usize = 1_536;

/// A token as it was read.
pub struct HotIssued {
    pub(super) meta: IssuedMeta,
    pub(super) tag: Tag,
    pub(super) hash: Tag,
    /// What both were made with.
    pub(super) key: IssuedKey,
    /// Row number of its issuer.
    pub(super) principal: i64,
    info: IssuedInfo,
    /// `info` as a door tells it.
    told: OnceLock<Box<[u8]>>,
}

impl HotIssued {
    /// A token that was opened.
    pub(super) fn new((row, key): (&IssuedRow, IssuedKey), meta: IssuedMeta, issuer: &Principal) -> Self {
        let info = IssuedInfo::new(Kind::Token, meta.clone(), issuer.uid);
        Self { meta, tag: row.tag, hash: row.hash, key, principal: row.principal, info, told: OnceLock::new() }
    }

    /// What is told of it.
    pub const fn info(&self) -> &IssuedInfo {
        &self.info
    }

    /// The same in the form that `encode` gives it the first time: it is kept with the token.
    pub fn told(&self, encode: impl FnOnce(&IssuedInfo) -> Option<Box<[u8]>>) -> Option<&[u8]> {
        if let Some(told) = self.told.get() {
            return Some(told);
        }
        let told = encode(&self.info)?;
        Some(self.told.get_or_init(|| told))
    }

    pub(super) const fn audience(&self) -> &Audience {
        &self.meta.audience
    }
}

/// When a read began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    opening: u64,
    writes_begun: u64,
}

#[derive(Default)]
struct Books {
    /// Which opening of the vault the tokens are of; 0 while nothing is kept.
    opening: u64,
    tokens: HashMap<IssuedId, Arc<HotIssued>>,
    /// How many are kept of each issuer.
    of_issuers: HashMap<i64, usize>,
    /// Writes that are under way.
    writes: HashMap<IssuedId, u32>,
    /// Writes that have begun, ever.
    writes_begun: u64,
}

impl Books {
    fn remove(&mut self, id: IssuedId) -> Option<Arc<HotIssued>> {
        let token = self.tokens.remove(&id)?;
        if let Some(count) = self.of_issuers.get_mut(&token.principal) {
            *count -= 1;
        }
        Some(token)
    }

    /// Lets go of all of an issuer.
    fn clear(&mut self, issuer: i64) {
        self.tokens.retain(|_, token| token.principal != issuer);
        self.of_issuers.remove(&issuer);
    }

    fn make_room(&mut self, issuer: i64) {
        if self.of_issuers.get(&issuer).is_some_and(|count| *count >= TOKENS_EACH) {
            self.clear(issuer);
        } else if self.tokens.len() >= TOKENS
            && let Some(most) = self.of_issuers.iter().max_by_key(|(_, count)| **count).map(|(issuer, _)| *issuer)
        {
            self.clear(most);
        }
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct HotShelf(Mutex<Books>);

impl HotShelf {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of everything and keeps from now on what is read with the keys of this opening of the vault; 0: nothing.
    pub fn restart(&self, opening: u64) {
        let mut books = self.books();
        books.opening = opening;
        books.tokens.clear();
        books.of_issuers.clear();
    }

    /// Looks for a token, for a read with the keys of an opening.
    pub fn find(&self, opening: u64, id: IssuedId) -> Option<Arc<HotIssued>> {
        let books = self.books();
        // What is being written is not here: it was taken out.
        books.tokens.get(&id).filter(|_| books.opening == opening).cloned()
    }

    /// For a read that begins: what it finds may be kept, if this is shown. `None`: it is not to be kept. Takes as long whether
    /// or not the token is here, for whoever asks for it may not know that.
    pub fn begin_read(&self, opening: u64, id: IssuedId) -> Option<Ticket> {
        let books = self.books();
        let may_be_kept = books.opening == opening && !books.writes.contains_key(&id);
        may_be_kept.then_some(Ticket { opening, writes_begun: books.writes_begun })
    }

    /// Keeps what was read, unless it may have changed since the read began.
    pub fn keep(&self, ticket: Ticket, id: IssuedId, token: Arc<HotIssued>) {
        if token.info.reply_bytes() > REPLY_BYTES_MAX {
            return;
        }
        let mut books = self.books();
        if books.opening != ticket.opening || books.writes_begun != ticket.writes_begun {
            return;
        }
        if !books.tokens.contains_key(&id) {
            books.make_room(token.principal);
        }
        let issuer = token.principal;
        if books.tokens.insert(id, token).is_none() {
            *books.of_issuers.entry(issuer).or_default() += 1;
        }
    }

    /// Lets go of all that an issuer has issued, because it goes or has another uid now.
    pub fn forget(&self, issuer: i64) {
        let mut books = self.books();
        books.writes_begun += 1;
        books.clear(issuer);
    }

    /// Writes to these begin.
    pub fn begin_write(&self, ids: &[IssuedId]) {
        let mut books = self.books();
        books.writes_begun += 1;
        for id in ids {
            books.remove(*id);
            *books.writes.entry(*id).or_default() += 1;
        }
    }

    /// Writes that were begun have ended, committed or not.
    pub fn end_write(&self, ids: &[IssuedId]) {
        let mut books = self.books();
        for id in ids {
            if let Some(count) = books.writes.get_mut(id) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    books.writes.remove(id);
                }
            }
        }
    }
}
