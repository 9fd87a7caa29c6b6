//! `Get`: the read path.

use std::sync::Arc;

use crate::crypto::{pad, tag, wrap};
use crate::error::Error;
use crate::policy::Action;
use crate::token::attachment::{OpenedValue, Stored};
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::metadata::VALUE;
use crate::token::request::GetRequest;
use crate::vault::{Event, HotToken, Look, OpenVault, Receipt, Vault};
use crate::{Caller, Secret};

/// A value on its way out.
pub struct Opened<P> {
    /// The token and version it is of.
    pub info: Arc<TokenInfo>,
    /// The value.
    pub value: OpenedValue,
    /// What was made for it.
    pub place: P,
    /// To be settled before the value leaves, where the audit log is to be durable.
    pub receipt: Option<Receipt>,
}

/// What was read of a token, and what was made for its value.
enum Taken<P> {
    /// All of it, and whether it stays so until something is written.
    Token { token: Arc<HotToken>, place: P, lasts: bool },
    /// The beginning of a value in chunks.
    Chunks(Box<Opened<P>>),
}

impl Vault {
    /// Fetches a value as [`Vault::get`] does, if that can be done without asking the store or waiting for the disk: gives what
    /// `make_place` and then `fill` make for it. The read is noted when both have, so that nothing is noted that does not leave.
    /// `None` says nothing of the token.
    pub fn get_hot<P, F>(
        &self,
        caller: &Caller,
        request: &GetRequest,
        make_place: impl FnOnce(&Arc<HotToken>) -> Option<P>,
        fill: impl FnOnce(P, &Secret) -> Option<F>,
    ) -> Option<F> {
        if request.version.is_some() || self.makes_reads_wait() || self.is_locked_down() {
            return None;
        }
        let open = self.open().ok()?;
        let principal = self.judged_cached(&open, caller, request.owner)?;
        let Look::Found(token) = self.find_hot(&open, &principal, request.name.as_str()) else { return None };
        check(&token.info, token.is_expired(&self.moment()), request).ok()?;
        let place = make_place(&token)?;
        let filled = fill(place, &self.open_hot(&token).ok()?)?;
        // Where it cannot be noted, nothing leaves.
        self.note_read_for_later(&event(caller, request), token.info.version).ok()?;
        Some(filled)
    }

    /// Fetches a value. `make_place` is asked for a place for as many bytes before they are decrypted: all of a value that lies
    /// in a row, and of one in chunks the longest chunk. The read is noted for the audit log before this returns; where the log
    /// is to be durable, the value comes with a receipt for [`Vault::settle`].
    ///
    /// # Errors
    /// See [`Error`]; missing, foreign and expired are all [`Error::NotFound`]. And what `make_place` fails with.
    pub fn get<P>(
        &self,
        caller: &Caller,
        request: &GetRequest,
        make_place: impl FnOnce(u64) -> Result<P, Error>,
    ) -> Result<Opened<P>, Error> {
        let open = self.open()?;
        let event = event(caller, request);
        let mut opened =
            self.fetch(&open, caller, request, make_place).inspect_err(|error| self.note_refusal(&event, error))?;
        self.check_values_leave()?;
        opened.receipt = self.note_read(event, opened.info.version)?;
        Ok(opened)
    }

    fn fetch<P>(
        &self,
        open: &OpenVault,
        caller: &Caller,
        request: &GetRequest,
        make_place: impl FnOnce(u64) -> Result<P, Error>,
    ) -> Result<Opened<P>, Error> {
        let principal = self.judged(open, caller, request.owner, Action::Read)?.ok_or(Error::NotFound)?;
        let shelf = Shelf { open, principal: &principal, now: self.moment() };
        let look = match request.version {
            None => self.find_hot(open, &principal, request.name.as_str()),
            Some(_) => Look::Busy,
        };
        let (found, mut ticket) = match look {
            Look::Found(token) => (Some(token), None),
            Look::Missing(ticket) => (None, Some(ticket)),
            Look::Busy => (None, None),
        };
        let (token, place) = match found {
            Some(token) => {
                check(&token.info, token.is_expired(&shelf.now), request)?;
                let place = make_place(token.info.size)?;
                (token, place)
            }
            None => match self.read_token(&shelf, (caller, request), make_place)? {
                Taken::Token { token, place, lasts } => {
                    ticket = ticket.filter(|_| lasts);
                    (token, place)
                }
                Taken::Chunks(opened) => return Ok(*opened),
            },
        };
        let value = OpenedValue::Whole(self.open_hot(&token)?);
        let info = Arc::clone(&token.info);
        if let Some(ticket) = ticket {
            self.keep_hot(ticket, request.name.as_str(), token);
        }
        Ok(Opened { info, value, place, receipt: None })
    }

    /// Reads a token and, when there is a place for its value, opens everything but that.
    fn read_token<P>(
        &self,
        shelf: &Shelf<'_>,
        (caller, request): (&Caller, &GetRequest),
        make_place: impl FnOnce(u64) -> Result<P, Error>,
    ) -> Result<Taken<P>, Error> {
        let (principal, records) = (shelf.principal, shelf.records());
        let name_tag = tag::name_tag(&principal.index_key, &request.name);
        let (row, (head, stored), current) = self
            .read(|tx| {
                let Some((row, version)) = tx.token_with_value(principal.id, &name_tag, request.version)? else {
                    return Ok(None);
                };
                let current = match version.head.version == row.current {
                    true => None,
                    false => match tx.version_head(row.id, row.current)? {
                        None => return Ok(None),
                        current => current,
                    },
                };
                Ok(Some((row, Stored::find(tx, version)?, current)))
            })?
            .ok_or(Error::NotFound)?;
        let found = Found::open(records, row, head)?;
        // A token whose current version has expired is gone, and its older versions with it.
        let superseding = current.map(|head| records.open_version(&head)).transpose()?;
        if superseding.is_some_and(|current| current.is_expired(&shelf.now)) {
            return Err(Error::NotFound);
        }
        let sharing = self.sharing(shelf, &found)?;
        let info = Arc::new(TokenInfo { shared: sharing.shared, ..found.info(principal.uid)? });
        check(&info, found.version.is_expired(&shelf.now), request)?;
        let value = match stored {
            Stored::Row(value) => value,
            Stored::Chunked(_) => {
                let place = make_place(stored.at_once(info.size))?;
                let value = self.open_stored((shelf, caller), &found, &stored)?;
                return Ok(Taken::Chunks(Box::new(Opened { info, value, place, receipt: None })));
            }
        };
        let place = make_place(info.size)?;
        let aad = records.value_aad(found.row.id, found.head.version);
        let key = wrap::message_key(&self.open_dek(shelf, &found)?, VALUE, aad.as_bytes(), &value, self.memory())?;
        let token = Arc::new(HotToken::new((principal.id, info), found.version.end(), key, aad, value));
        Ok(Taken::Token { token, place, lasts: sharing.lasts })
    }

    /// Decrypts the value of a token that lies opened.
    fn open_hot(&self, token: &HotToken) -> Result<Secret, Error> {
        Ok(pad::unpad(wrap::open_again(&token.key, token.aad.as_bytes(), &token.value, self.memory())?)?)
    }

    pub(super) fn open_dek(&self, shelf: &Shelf<'_>, found: &Found) -> Result<Secret, Error> {
        shelf.records().open_dek((&found.row, &found.meta), (&found.head, &found.version), self.memory())
    }
}

/// What the audit log is told of a request.
pub(super) fn event(caller: &Caller, request: &GetRequest) -> Event {
    let mut event = Event::new(caller, "Get").about(request.owner.uid(caller), request.name.as_str());
    request.app.as_str().clone_into(&mut event.app);
    request.purpose.as_str().clone_into(&mut event.purpose);
    event
}

/// Whether a version that was found may be given out for what the caller says it wants it for.
pub(super) fn check(info: &TokenInfo, is_expired: bool, request: &GetRequest) -> Result<(), Error> {
    if is_expired {
        return Err(Error::NotFound);
    }
    if info.require_purpose && request.purpose.as_str().is_empty() {
        return Err(Error::AccessDenied(
            "this token is given out for a stated purpose only; name it in option 'purpose'".into(),
        ));
    }
    Ok(())
}
