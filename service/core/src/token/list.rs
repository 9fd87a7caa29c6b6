//! `List`: a page of tokens without their values.

use crate::Caller;
use crate::crypto::tag;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::policy::Action;
use crate::principal::Principal;
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::request::ListRequest;
use crate::vault::{Event, OpenVault, Vault};

/// Most bytes of a page ([`Page::reply_bytes`]), unless its only row has more. A token may carry 35 KB of attributes: a
/// thousand of those would end the daemon's connection to the bus, and lie in its memory until they are read.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Rows taken from the store at a time.
const STEP: usize = 64;
const CURSOR: &str = "list-cursor";

/// A page of tokens, in the order they were first put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The tokens.
    pub tokens: Vec<TokenInfo>,
    /// Where the next page begins; empty after the last.
    pub next: String,
}

impl Vault {
    /// Lists live tokens.
    ///
    /// # Errors
    /// See [`Error`]. Somebody else's tokens are an empty page, as are those of a user who has none.
    pub fn list(&self, caller: &Caller, request: &ListRequest) -> Result<Page, Error> {
        let open = self.open()?;
        match self.judged(&open, caller, request.owner, Action::Read) {
            Ok(Some(principal)) => self.page(&open, &principal, request),
            Ok(None) | Err(Error::NotFound) => Ok(Page::default()),
            Err(error) => {
                self.note_refusal(&Event::new(caller, "List"), &error);
                Err(error)
            }
        }
    }

    fn page(&self, open: &OpenVault, principal: &Principal, request: &ListRequest) -> Result<Page, Error> {
        let shelf = Shelf { open, principal, now: self.now() };
        let cursor = Cursor { list: CURSOR, vault: &open.id, principal };
        let tags: Vec<_> = request
            .attributes
            .as_map()
            .iter()
            .map(|(key, value)| tag::attribute_tag(&principal.index_key, key, value))
            .collect();
        let [mut after] = cursor.decode(&request.after)?;
        let mut page = Page::default();
        let mut bytes = page.reply_bytes();
        loop {
            let rows = self.read(|tx| Ok(tx.tokens(principal.id, &tags, after, STEP)?))?;
            let exhausted = rows.len() < STEP;
            for (row, head) in rows {
                let before = std::mem::replace(&mut after, row.id);
                let found = Found::open(shelf.records(), row, head)?;
                if !matches(&found, request) || found.version.is_expired(shelf.now) {
                    continue;
                }
                let info = found.info(principal.uid)?;
                bytes += info.reply_bytes();
                if bytes > PAGE_BYTES_MAX && !page.tokens.is_empty() {
                    return Ok(Page { next: cursor.encode([before])?, ..page });
                }
                page.tokens.push(info);
                if page.tokens.len() == request.limit {
                    return Ok(Page { next: cursor.encode([after])?, ..page });
                }
            }
            if exhausted {
                return Ok(page);
            }
        }
    }
}

pub(super) fn matches(found: &Found, request: &ListRequest) -> bool {
    let expires_in_time = match request.expires_before {
        Some(limit) => found.version.expires.is_some_and(|expires| expires < limit),
        None => true,
    };
    // The tags only found candidates: they are short, and nothing binds them to the token.
    let carries_all =
        request.attributes.iter().all(|(key, value)| found.meta.attributes.get(key).is_some_and(|has| has == value));
    expires_in_time && carries_all && request.prefix.matches(&found.meta.name)
}
