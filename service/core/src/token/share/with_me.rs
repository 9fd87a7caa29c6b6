//! `List` of what is shared with the caller: by anybody, or by one owner.
//!
//! It goes along the caller's shares, and what it takes hangs on their number alone. A token that is shared with a caller in
//! more than one way, as a user and as a member of groups, is in the list once: at the first of these ways that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::reach::{Asked, Foreign, Held, Looked, grant_of};
use crate::Caller;
use crate::cursor::KeyedCursor;
use crate::error::Error;
use crate::grantee::{Key, keys_of};
use crate::issued::GroupNow;
use crate::name::TokenName;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{ReadTx, ShareRow, Tag, TokenRow, VersionHead};
use crate::principal::Principal;
use crate::token::found::{Shelf, TokenInfo};
use crate::token::list::{LOOKED_AT_MAX, PAGE_BYTES_MAX, Page, open_if_meant};
use crate::token::request::ListRequest;
use crate::vault::{Event, OpenVault, Vault};

/// Shares taken from the store at a time.
const STEP: usize = 64;
const CURSOR: &str = "shared-list-cursor";
/// Of a caller with more numbers than this it is not asked for a share with each of them: all shares of a token are looked at.
const MANY: usize = 16;

/// One share of the caller, with all that the caller may have of its token.
struct Row {
    share: i64,
    principal: Arc<Principal>,
    token: TokenRow,
    head: VersionHead,
    shares: Vec<ShareRow>,
}

/// One list.
struct Walk<'a> {
    vault: &'a Vault,
    open: &'a OpenVault,
    asked: Foreign<'a>,
    request: &'a ListRequest,
    /// By what the caller's shares are found, and where each stands in the order.
    keys: Vec<(i64, Tag)>,
    /// The same by the tag.
    places: BTreeMap<Tag, i64>,
    /// The only owner that is meant, if it is one.
    only: Option<Option<u32>>,
    unknown: BTreeSet<String>,
}

impl Vault {
    /// Lists live tokens that are shared with the caller; with `only_of_owner` those of the owner in the request.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn list_shared(
        &self,
        caller: &Caller,
        request: &ListRequest,
        only_of_owner: bool,
        groups: &[GroupNow],
    ) -> Result<Asked<Page>, Error> {
        let open = self.open()?;
        let list = || {
            self.judged(&open, caller, Owner::Own, Action::Read)?;
            // What is looked for here has no name: every one is compared with the request.
            let name = TokenName::parse("-")?;
            let asked = Foreign { caller, groups, owner: request.owner, name: &name };
            let keys: Vec<(i64, Tag)> =
                keys_of(caller)?.into_iter().map(|key| (rank(key), open.key_tag(key))).collect();
            let places = keys.iter().map(|(rank, tag)| (*tag, *rank)).collect();
            let only = only_of_owner.then(|| request.owner.uid(caller));
            let unknown = BTreeSet::new();
            let mut walk = Walk { vault: self, open: &open, asked, request, keys, places, only, unknown };
            let page = walk.page()?;
            let unknown = walk.unknown;
            Ok(if unknown.is_empty() { Asked::Answer(page) } else { Asked::Groups(unknown.into_iter().collect()) })
        };
        list().inspect_err(|error| self.note_refusal(&Event::new(caller, "List"), error))
    }
}

/// Where shares that are found by a key stand in the list: the user's before those of its groups.
fn rank(key: Key<'_>) -> i64 {
    match key {
        Key::Gid(gid) => i64::from(gid) + 1,
        Key::Uid(_) | Key::Unit(_) => 0,
    }
}

impl Walk<'_> {
    fn page(&mut self) -> Result<Page, Error> {
        // Also those who never stored anything have a place in the list: it is kept under the uid.
        let uid_tag = self.open.keys(self.vault).uid_tag(self.asked.caller.uid);
        let whose: [u8; 16] = uid_tag.first_chunk().copied().unwrap_or_default();
        let key = self.open.names_key(&whose, self.vault.memory())?;
        let cursor = KeyedCursor { list: CURSOR, vault: &self.open.id, key: &key, whose: &whose };
        let [from, mut after] = cursor.decode(&self.request.after)?;
        let mut page = Page::default();
        let (mut bytes, mut looked_at) = (page.reply_bytes(), 0);
        for (rank, tag) in self.keys.clone().into_iter().filter(|(rank, _)| *rank >= from) {
            if rank > from {
                after = 0;
            }
            loop {
                let (rows, last) = self.rows(&tag, after)?;
                looked_at += rows.len();
                for row in rows {
                    let before = std::mem::replace(&mut after, row.share);
                    let Some(info) = self.told(row)? else { continue };
                    bytes += info.reply_bytes();
                    if bytes > PAGE_BYTES_MAX && !page.tokens.is_empty() {
                        return Ok(Page { next: cursor.encode([rank, before])?, ..page });
                    }
                    page.tokens.push(info);
                    if page.tokens.len() == self.request.limit {
                        return Ok(Page { next: cursor.encode([rank, after])?, ..page });
                    }
                }
                match last {
                    Some(last) => after = last,
                    None => break,
                }
                if looked_at >= LOOKED_AT_MAX {
                    return Ok(Page { next: cursor.encode([rank, after])?, ..page });
                }
            }
        }
        Ok(page)
    }

    /// The next shares that are found by a tag, and the number of the last of them; `None` when no more follow.
    fn rows(&self, tag: &Tag, after: i64) -> Result<(Vec<Row>, Option<i64>), Error> {
        self.vault.read(|tx| {
            let found = tx.shares_with(tag, after, STEP)?;
            let last = found.last().filter(|_| found.len() == STEP).map(|row| row.id);
            let (mut rows, mut owners) = (Vec::with_capacity(found.len()), BTreeMap::new());
            for share in found {
                rows.push(self.row(tx, &share, &mut owners)?);
            }
            Ok((rows, last))
        })
    }

    fn row(&self, tx: &dyn ReadTx, share: &ShareRow, owners: &mut BTreeMap<i64, Arc<Principal>>) -> Result<Row, Error> {
        let lost = || Error::Quarantined(format!("the token of share {} is missing", share.id));
        let token = tx.token_by_id(share.token)?.ok_or_else(lost)?;
        let head = tx.version_head(token.id, token.current)?.ok_or_else(lost)?;
        let principal = match owners.get(&token.principal) {
            Some(principal) => Arc::clone(principal),
            None => self.vault.find_principal_by_id(self.open, tx, token.principal)?,
        };
        owners.insert(token.principal, Arc::clone(&principal));
        Ok(Row { share: share.id, principal, shares: self.shares(tx, token.id)?, token, head })
    }

    /// The shares of a token by which the caller may have it, in their order.
    fn shares(&self, tx: &dyn ReadTx, token: i64) -> Result<Vec<ShareRow>, Error> {
        if self.keys.len() > MANY {
            let mut shares = tx.shares(token)?;
            shares.retain(|share| self.places.contains_key(&share.grantee_tag));
            shares.sort_by_key(|share| self.places.get(&share.grantee_tag));
            return Ok(shares);
        }
        let mut shares = Vec::new();
        for (_, tag) in &self.keys {
            shares.extend(tx.share(token, tag)?);
        }
        Ok(shares)
    }

    /// What the caller is told of a token; `None` where it is not in the list, or not at this place.
    fn told(&mut self, row: Row) -> Result<Option<TokenInfo>, Error> {
        let principal = row.principal;
        let is_named = |uid: Option<u32>| uid == Some(principal.uid) && self.request.owner.means(&principal);
        let is_meant = self.only.is_none_or(is_named);
        if !is_meant || !principal.serves(self.asked.caller.uid) || principal.uid == self.asked.caller.uid {
            return Ok(None);
        }
        let shelf = Shelf { open: self.open, principal: &principal, now: self.vault.moment() };
        let mut looked = Looked::default();
        for share in row.shares {
            let meta = shelf.records().open_share(&share)?;
            looked.sort(Held { row: share, meta }, &self.asked, &shelf);
        }
        self.unknown.extend(looked.unknown);
        if looked.held.first().is_none_or(|first| first.row.id != row.share) {
            return Ok(None);
        }
        let Some(found) = open_if_meant(&shelf, row.token, row.head, self.request)? else { return Ok(None) };
        Ok(Some(TokenInfo { grant: Some(grant_of(&looked.held)), ..found.info(principal.uid)? }))
    }
}
