//! Shares: what somebody else than its owner may do with a token, one operation a file.
//!
//! A share belongs to the row of its token: it follows a rename, goes with a delete, and does not come back with the name of
//! an expired token. Its record is encrypted under the owner's key and bound to its place; it is found by a keyed tag of the
//! grantee.

mod count;
mod credential;
mod denied;
mod fetch;
mod gone;
mod grant;
mod list;
mod reach;
mod record;
mod refusal;
mod revoke;
mod sharing;
mod with_me;
mod write;

pub use credential::{Credential, CredentialGrant, CredentialReply};
pub use fetch::{Fetched, Used};
pub use list::ShareInfo;
pub use reach::Asked;
pub(in crate::token) use reach::{Foreign, of_another};
pub use record::{Permission, ShareMeta};
pub use refusal::CredentialRefusal;
pub(in crate::token) use sharing::Sharing;
pub(in crate::token) use write::{Right, of_the_owner};

use crate::Timestamp;
use crate::error::Error;
use crate::grantee::Grantee;
use crate::name::Note;
use crate::port::{ReadTx, ShareRow, TokenRow, WriteTx};
use crate::token::found::{Found, Shelf};
use crate::token::request::NamedRequest;
use crate::token::usage::{self, Change};

/// Most shares of one token: all of them fit into one answer.
pub const SHARES_MAX: usize = 500;

/// `Share`.
#[derive(Debug, Clone)]
pub struct ShareRequest {
    /// Which token.
    pub token: NamedRequest,
    /// With whom.
    pub grantee: Grantee,
    /// What they may do.
    pub permission: Permission,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// How often it may be used.
    pub uses: Option<u32>,
    /// A few words for the grantee.
    pub note: Note,
}

/// Takes all shares of a token away; what became free.
pub(in crate::token) fn drop_shares(tx: &mut dyn WriteTx, token: i64) -> Result<u64, Error> {
    let shares = ReadTx::shares(tx, token)?;
    shares.iter().map(|share| drop_share(tx, share)).sum()
}

/// Takes a share away; what became free.
fn drop_share(tx: &mut dyn WriteTx, share: &ShareRow) -> Result<u64, Error> {
    tx.delete_share(share.id)?;
    Ok(usage::of_share(share))
}

/// Takes the shares of a token away that have ended, as `ended` says of their day; how many.
pub(in crate::token) fn drop_ended_shares(
    tx: &mut dyn WriteTx,
    shelf: &Shelf<'_>,
    found: &Found,
    ended: impl Fn(Option<i64>) -> bool,
) -> Result<u64, Error> {
    let shares = ReadTx::shares(tx, found.row.id)?;
    let (gone, left): (Vec<_>, Vec<_>) = shares.iter().partition(|share| ended(share.expires_day));
    if gone.is_empty() {
        return Ok(0);
    }
    let mut freed = 0;
    for share in &gone {
        shelf.records().open_share(share)?;
        freed += drop_share(tx, share)?;
    }
    let mut counted = note_shared(tx, shelf, found, !left.is_empty())?;
    counted.freed += freed;
    counted.count(tx, shelf.principal)?;
    Ok(gone.len() as u64)
}

/// Notes in the metadata of a token whether it is shared with anyone, where that has changed; what is to be counted for it.
fn note_shared(tx: &mut dyn WriteTx, shelf: &Shelf<'_>, found: &Found, shared: bool) -> Result<Change, Error> {
    if found.meta.shared == shared {
        return Ok(Change::default());
    }
    let mut row = TokenRow { meta: Vec::new(), ..found.row.clone() };
    let mut meta = found.meta.clone();
    meta.shared = shared;
    shelf.records().seal_token(&mut row, &meta)?;
    tx.update_token(&row)?;
    let (added, freed) = (usage::of_token(&row, &meta), usage::of_token(&found.row, &found.meta));
    Ok(Change { added, freed, ..Change::default() })
}
