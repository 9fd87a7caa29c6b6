//! `Validate`: whether something is a token of this vault, and what it says.
//!
//! Not valid is one answer: malformed, unknown, another's, expired, revoked and used up. Whoever may not have it validated learns
//! nothing, also not by the time it takes: for him the store is asked and a row opened whether or not there is one.
//!
//! Nothing is written here. What takes a use, and every code, goes on in `validate_counted`: a code that was tried is counted in
//! the transaction that compares it, so that guesses made at the same time are no more than those made one after the other.

use std::sync::Arc;

use super::audience::Membership;
use super::hot::{HotIssued, Ticket};
use super::record::{IssuedKey, IssuedMeta, Kind, kind_of};
use super::request::{Presented, ValidateRequest};
use super::{Audience, IssuedId};
use crate::Caller;
use crate::error::Error;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::IssuedRow;
use crate::principal::Principal;
use crate::vault::{Event, OpenVault, Receipt, Vault};

/// The number a group's name has now; `None`: there is no such group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNow {
    /// The name.
    pub name: String,
    /// Its number.
    pub gid: Option<u32>,
}

/// What came of looking at something.
pub enum Checked {
    /// It is valid. The receipt is to be settled first, where the audit log is to be durable.
    Valid(Arc<HotIssued>, Option<Box<Receipt>>),
    /// It is not.
    Invalid,
    /// That hangs on the number this group has now: to be looked up, and asked again with it.
    AskGroup(String),
    /// That is to be decided, and counted, by [`Vault::validate_counted`].
    ToCount,
}

/// What was found in the store, and who issued it; whether it may be kept.
struct Found {
    issuer: Arc<Principal>,
    row: IssuedRow,
    key: IssuedKey,
    meta: IssuedMeta,
    ticket: Option<Ticket>,
}

impl Vault {
    /// Says that a token is valid, if that can be told without asking the store or waiting for the disk. The validation is noted
    /// when `fill` has made something of it. `None` says nothing of the token.
    pub fn validate_hot<F>(
        &self,
        caller: &Caller,
        request: &ValidateRequest,
        fill: impl FnOnce(&Arc<HotIssued>) -> Option<F>,
    ) -> Option<F> {
        if request.consume || self.makes_reads_wait() {
            return None;
        }
        let Presented::Token(id, _) = &request.presented else { return None };
        let open = self.open().ok()?;
        let own = self.judged_cached(&open, caller, Owner::Own)?;
        let look = self.hot_issued.find(open.opening, *id);
        // Looked for whether or not the token is here, so that the time it takes tells nobody which.
        let issued_by = look.as_ref().map_or(own.id, |token| token.principal);
        let issuer = open.principals.find_by_id(issued_by)?;
        let token = look?;
        if !may_validate(caller, &issuer, token.audience(), None).is_some_and(|may| may) {
            return None;
        }
        if !self.holds((caller.uid, request), &token, &issuer) {
            return None;
        }
        let filled = fill(&token)?;
        self.note_read_for_later(&event(caller, *id, Some(issuer.uid)), 0).ok()?;
        Some(filled)
    }

    /// Looks at something. `group` is what was looked up because of an earlier [`Checked::AskGroup`].
    ///
    /// # Errors
    /// See [`Error`]: of the vault's state, of the caller, of the audit log. That something is not valid is none.
    pub fn validate(
        &self,
        caller: &Caller,
        request: &ValidateRequest,
        group: Option<&GroupNow>,
    ) -> Result<Checked, Error> {
        let open = self.open()?;
        let refused = |error: &Error| self.note_refusal(&Event::new(caller, "Validate"), error);
        self.judged(&open, caller, Owner::Own, Action::Read).inspect_err(refused)?;
        let Some(id) = request.presented.id() else { return Ok(self.not_valid(caller, None)) };
        let Some(found) = self.find_issued(&open, request, id)? else { return Ok(self.not_valid(caller, Some(id))) };
        match may_validate(caller, &found.issuer, &found.meta.audience, group) {
            Some(true) => {}
            Some(false) => return Ok(self.not_valid(caller, Some(id))),
            None => return Ok(Checked::AskGroup(group_of(&found.meta.audience))),
        }
        let issuer = Arc::clone(&found.issuer);
        let token = self.keep_found(found, id);
        if request.presented.kind() == Some(Kind::Code) {
            // A right code for another audience tells nobody that it was right.
            let counts =
                token.meta.is_live(&self.moment()) && issuer.serves(caller.uid) && is_good_for(&token.meta, request);
            return Ok(if counts { Checked::ToCount } else { self.not_valid(caller, Some(id)) });
        }
        if !self.holds((caller.uid, request), &token, &issuer) {
            return Ok(self.not_valid(caller, Some(id)));
        }
        if request.consume {
            return Ok(Checked::ToCount);
        }
        let receipt = self.note_read(event(caller, id, Some(issuer.uid)), 0)?;
        Ok(Checked::Valid(token, receipt.map(Box::new)))
    }

    /// Looks in the store for what has an id and is of the kind of what is presented, whoever asks, and whether or not it lies
    /// opened.
    fn find_issued(&self, open: &OpenVault, request: &ValidateRequest, id: IssuedId) -> Result<Option<Found>, Error> {
        let ticket = self.hot_issued.begin_read(open.opening, id);
        let ticket = ticket.filter(|_| request.presented.kind() == Some(Kind::Token));
        let Some(found) = self.read_issued(open, id)? else { return Ok(None) };
        let is_meant = request.presented.kind() == Some(kind_of(&found.row)?);
        Ok(is_meant.then_some(Found { ticket, ..found }))
    }

    /// What was found, ready to be compared, and kept where that may be.
    fn keep_found(&self, found: Found, id: IssuedId) -> Arc<HotIssued> {
        let token = Arc::new(HotIssued::new((&found.row, found.key), found.meta, &found.issuer));
        if let Some(ticket) = found.ticket {
            self.hot_issued.keep(ticket, id, Arc::clone(&token));
        }
        token
    }

    /// Who issued something.
    fn issuer(&self, open: &OpenVault, principal: i64) -> Result<Arc<Principal>, Error> {
        open.principals.find_by_id(principal).map_or_else(|| self.principal_by_id(open, principal), Ok)
    }

    /// Whether a token is what it says, is still good, and is good for what is asked.
    fn holds(&self, (caller, request): (u32, &ValidateRequest), token: &HotIssued, issuer: &Principal) -> bool {
        token.key.is_secret_of((&token.tag, &token.hash), request.presented.secret())
            && issuer.serves(caller)
            && token.meta.is_live(&self.moment())
            && is_good_for(&token.meta, request)
    }

    /// Opens what has an id, or another row where nothing has; `None` then.
    fn read_issued(&self, open: &OpenVault, id: IssuedId) -> Result<Option<Found>, Error> {
        let found = self.read(|tx| open.find_issued_or_other(tx, |key| key.tag(id)))?;
        let Some((row, key)) = found else { return Ok(None) };
        let issuer = self.issuer(open, row.principal)?;
        let opened = open.open_issued(&issuer, &row);
        // Whether another one opens is nobody's concern here.
        let Some(key) = key else { return Ok(None) };
        Ok(Some(Found { issuer, row, key, meta: opened?, ticket: None }))
    }

    fn not_valid(&self, caller: &Caller, id: Option<IssuedId>) -> Checked {
        let mut event = Event::new(caller, "Validate");
        event.name = id.map(|id| id.to_string()).unwrap_or_default();
        self.note_refusal(&event, &Error::NotFound);
        Checked::Invalid
    }
}

/// Whether something says what it is asked to say.
pub(super) fn is_good_for(meta: &IssuedMeta, request: &ValidateRequest) -> bool {
    request.audience.as_ref().is_none_or(|audience| *audience == meta.audience.to_string())
        && request.scopes.are_within(&meta.scopes)
}

/// Whether a caller may have something validated; `None` while that hangs on the number a group has now.
pub(super) fn may_validate(
    caller: &Caller,
    issuer: &Principal,
    audience: &Audience,
    group: Option<&GroupNow>,
) -> Option<bool> {
    if caller.is_root() || caller.uid == issuer.uid {
        return Some(true);
    }
    match audience.membership(caller) {
        Membership::Yes => Some(true),
        Membership::No => Some(false),
        Membership::IfGroup(named) => {
            let now = group.filter(|group| group.name == named.name)?;
            Some(now.gid == Some(named.number))
        }
    }
}

fn group_of(audience: &Audience) -> String {
    match audience {
        Audience::Group(group) => group.name.clone(),
        Audience::Text(_) | Audience::User(_) => String::new(),
    }
}

/// What the audit log is told of a validation.
pub(super) fn event(caller: &Caller, id: IssuedId, issuer: Option<u32>) -> Event {
    Event::new(caller, "Validate").about(issuer, &id.to_string())
}
