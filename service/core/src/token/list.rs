//! `List`: a page of tokens without their values.

use std::sync::Arc;

use crate::Caller;
use crate::crypto::tag;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::policy::Action;
use crate::port::{TokenRow, VersionHead};
use crate::principal::Principal;
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::metadata::{TokenMeta, VersionMeta};
use crate::token::request::ListRequest;
use crate::vault::{Event, OpenVault, Vault};

/// Most bytes of a page ([`Page::reply_bytes`]), unless its only row has more. A token may carry 35 KB of attributes: a
/// thousand of those would end the daemon's connection to the bus, and lie in its memory until they are read.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Most rows taken from the store at a time: no snapshot is held for longer. And fewest, so that the last ones of a page that is
/// filtered are not taken one by one.
const STEP: usize = 128;
const STEP_MIN: usize = 32;
/// About as many rows, and as many of their shares, are looked at for a page. One that has fewer tokens than were asked for, or
/// none, may not be the last.
pub(crate) const LOOKED_AT_MAX: usize = 2_048;
const CURSOR: &str = "list-cursor";

/// A page of tokens, in the order they were first put. It may have none and not be the last.
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

    /// [`open_if_meant`] for the owner, of whose tokens some lie opened.
    fn open_or_find(
        &self,
        shelf: &Shelf<'_>,
        row: TokenRow,
        head: VersionHead,
        request: &ListRequest,
    ) -> Result<Option<Arc<Found>>, Error> {
        let (opening, owner) = (shelf.open.opening, shelf.principal.uid);
        if let Some(found) = self.listed.find(opening, owner, (&row, &head)) {
            let is_meant = means(request, &found.meta) && is_live_and_meant(shelf, request, &found.version);
            return Ok(is_meant.then_some(found));
        }
        let found = open_if_meant(shelf, row, head, request)?.map(Arc::new);
        if let Some(found) = &found {
            self.listed.keep(opening, owner, found);
        }
        Ok(found)
    }

    fn page(&self, open: &OpenVault, principal: &Principal, request: &ListRequest) -> Result<Page, Error> {
        let shelf = Shelf { open, principal, now: self.moment() };
        let cursor = Cursor { list: CURSOR, vault: &open.id, principal };
        let tags: Vec<_> = request
            .attributes
            .as_map()
            .iter()
            .map(|(key, value)| tag::attribute_tag(&principal.index_key, key, value))
            .collect();
        let [mut after] = cursor.decode(&request.after)?;
        let (mut page, mut looked_at, mut shares) = (Page::default(), 0, 0);
        let mut bytes = page.reply_bytes();
        loop {
            // Where every row is meant, no more of them than are asked for.
            let step = STEP.min(request.limit.saturating_sub(page.tokens.len())).max(STEP_MIN);
            let rows = self.read(|tx| Ok(tx.tokens(principal.id, &tags, after, step)?))?;
            let exhausted = rows.len() < step;
            looked_at += rows.len();
            for (row, head) in rows {
                let before = std::mem::replace(&mut after, row.id);
                let Some(found) = self.open_or_find(&shelf, row, head, request)? else { continue };
                let sharing = self.sharing(&shelf, &found)?;
                shares += sharing.looked_at;
                let info = TokenInfo { shared: sharing.shared, ..found.info(principal.uid)? };
                bytes += info.reply_bytes();
                if bytes > PAGE_BYTES_MAX && !page.tokens.is_empty() {
                    return Ok(Page { next: cursor.encode([before])?, ..page });
                }
                page.tokens.push(info);
                if page.tokens.len() == request.limit || shares >= LOOKED_AT_MAX {
                    return Ok(Page { next: cursor.encode([after])?, ..page });
                }
            }
            if exhausted {
                return Ok(page);
            }
            if looked_at >= LOOKED_AT_MAX {
                return Ok(Page { next: cursor.encode([after])?, ..page });
            }
        }
    }
}

/// The token of a row, if it is live and meant. No more of it is decrypted than it takes to tell.
pub(super) fn open_if_meant(
    shelf: &Shelf<'_>,
    row: TokenRow,
    head: VersionHead,
    request: &ListRequest,
) -> Result<Option<Found>, Error> {
    if !may_expire_before(&head, request) {
        return Ok(None);
    }
    let meta = shelf.records().open_token(&row)?;
    if !means(request, &meta) {
        return Ok(None);
    }
    let version = shelf.records().open_version(&head)?;
    Ok(is_live_and_meant(shelf, request, &version).then_some(Found { row, meta, head, version }))
}

/// Whether a token of this metadata is meant. The tags only found candidates: they are short, and nothing binds them to the token.
fn means(request: &ListRequest, meta: &TokenMeta) -> bool {
    let mut wanted = request.attributes.iter();
    let carries_all = wanted.all(|(key, value)| meta.attributes.get(key).is_some_and(|has| has == value));
    carries_all && request.prefix.matches(&meta.name)
}

/// The same of its version, which must not have expired.
fn is_live_and_meant(shelf: &Shelf<'_>, request: &ListRequest, version: &VersionMeta) -> bool {
    let expires_in_time =
        request.expires_before.is_none_or(|limit| version.expires.is_some_and(|expires| expires < limit));
    expires_in_time && !version.is_expired(&shelf.now)
}

/// Whether a version can expire before what was asked for, as far as the day beside it says.
fn may_expire_before(head: &VersionHead, request: &ListRequest) -> bool {
    let Some(limit) = request.expires_before else { return true };
    head.expires_day.is_some_and(|day| day <= limit.day_rounded_up())
}
