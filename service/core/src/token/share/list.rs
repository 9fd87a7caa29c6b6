//! `Shares`: with whom a token is shared.

use super::{Permission, ShareMeta};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::policy::Action;
use crate::token::found::Shelf;
use crate::token::request::NamedRequest;
use crate::vault::{Event, Vault};
use crate::{Caller, Timestamp};

/// One share of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// With whom.
    pub grantee: Grantee,
    /// What they may do.
    pub permission: Permission,
    /// When it was granted.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// How often it may still be used; `None`: without a limit.
    pub uses_left: Option<u32>,
    /// A few words for the grantee; empty when there are none.
    pub note: String,
}

impl From<ShareMeta> for ShareInfo {
    fn from(meta: ShareMeta) -> Self {
        let ShareMeta { grantee, permission, created, expires, uses_left, note } = meta;
        Self { grantee, permission, created, expires, uses_left, note }
    }
}

impl Vault {
    /// The shares of a token that have not ended, in the order they were first granted; also those with whom is no longer there.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn shares(&self, caller: &Caller, request: &NamedRequest) -> Result<Vec<ShareInfo>, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "Shares").about(request.owner.uid(caller), request.name.as_str());
        let shares = || {
            let principal = self.judged(&open, caller, request.owner, Action::Share)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: self.now() };
            let rows = self.read(|tx| Ok(tx.shares(shelf.find(tx, &request.name)?.row.id)?))?;
            let mut shares = Vec::with_capacity(rows.len());
            for row in &rows {
                let meta = shelf.records().open_share(row)?;
                if !meta.has_ended(shelf.now) {
                    shares.push(meta.into());
                }
            }
            Ok(shares)
        };
        shares().inspect_err(|error| self.note_refusal(&event, error))
    }
}
