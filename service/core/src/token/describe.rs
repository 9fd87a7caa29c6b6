//! `Describe`: a token without its value.

use std::sync::Arc;

use crate::Caller;
use crate::error::Error;
use crate::policy::Action;
use crate::principal::Principal;
use crate::token::found::{Shelf, TokenInfo};
use crate::token::request::NamedRequest;
use crate::vault::{Event, Vault};

impl Vault {
    /// The owner of a live token with which a caller may do something, and the number of its row.
    pub(crate) fn owner_of(
        &self,
        caller: &Caller,
        request: &NamedRequest,
        action: Action,
    ) -> Result<(Arc<Principal>, i64), Error> {
        let open = self.open()?;
        let principal = self.judged(&open, caller, request.owner, action)?.ok_or(Error::NotFound)?;
        let shelf = Shelf { open: &open, principal: &principal, now: self.moment() };
        let token = self.read(|tx| shelf.find(tx, &request.name).map(|found| found.row.id))?;
        Ok((principal, token))
    }

    /// How many versions of a token are written anew when that is renamed or annotated; 0 where it is not the caller's to change.
    pub fn versions_to_rewrite(&self, caller: &Caller, request: &NamedRequest) -> u64 {
        let owned = self.owner_of(caller, request, Action::Write);
        owned.and_then(|(_, token)| self.read(|tx| Ok(tx.count_versions_of(token)?))).unwrap_or_default()
    }

    /// Describes the current version of a token.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn describe(&self, caller: &Caller, request: &NamedRequest) -> Result<TokenInfo, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "Describe").about(request.owner.uid(caller), request.name.as_str());
        let describe = || {
            let principal = self.judged(&open, caller, request.owner, Action::Read)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: self.moment() };
            self.read(|tx| shelf.find(tx, &request.name)?.told(tx, &shelf))
        };
        describe().inspect_err(|error| self.note_refusal(&event, error))
    }
}
