//! `Get` and `Describe` of what is shared with the caller.
//!
//! Of a share whose uses are counted the count, the record and the value belong to one transaction: of many who want the last
//! use one gets it. Before it, only what the value needs is looked at: a place for it must be there before the use is spent.

use std::sync::Arc;

use super::Permission;
use super::count::use_once;
use super::reach::{Asked, Foreign, Reach, of_another};
use crate::Caller;
use crate::error::Error;
use crate::issued::{GroupNow, apart_from_tokens};
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::ReadTx;
use crate::token::attachment::{OpenedValue, Stored};
use crate::token::found::TokenInfo;
use crate::token::get::{Opened, check, event};
use crate::token::request::{GetRequest, NamedRequest};
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};

/// What came of fetching something that is shared.
pub enum Fetched<P> {
    /// The value.
    Opened(Box<Opened<P>>),
    /// Uses are counted: when there is a place for so many bytes, which lie in memory at one time, the value is to be had by
    /// [`Vault::get_counted`].
    Counted(TokenInfo, u64),
}

/// What came of a use that is counted.
pub enum Used {
    /// The value. The use is spent.
    Value(Box<TokenInfo>, OpenedValue),
    /// The value does not have as many bytes as there is a place for. The use is not spent.
    Resized,
}

impl Vault {
    /// Fetches the value of a token that is not the caller's own, as [`Vault::get`] does of one that is.
    ///
    /// # Errors
    /// As [`Vault::get`]; [`Error::ShareOver`] when nothing is left of what was shared.
    pub fn get_shared<P>(
        &self,
        caller: &Caller,
        request: &GetRequest,
        groups: &[GroupNow],
        make_place: impl FnOnce(u64) -> Result<P, Error>,
    ) -> Result<Asked<Fetched<P>>, Error> {
        let open = self.open()?;
        let event = event(caller, request);
        let fetched = self
            .reach_value(&open, caller, request, groups)
            .and_then(|asked| {
                asked.and_then(|reached| {
                    // Before a use is counted.
                    self.check_values_leave()?;
                    self.fetch_shared(&open, (caller, request), reached, make_place)
                })
            })
            .inspect_err(|error| self.note_refusal(&event, error))?;
        fetched.and_then(|fetched| match fetched {
            Fetched::Opened(mut opened) => {
                opened.receipt = self.note_read(event, opened.info.version)?;
                Ok(Fetched::Opened(opened))
            }
            counted @ Fetched::Counted(..) => Ok(counted),
        })
    }

    fn reach_value(
        &self,
        open: &OpenVault,
        caller: &Caller,
        request: &GetRequest,
        groups: &[GroupNow],
    ) -> Result<Asked<(Reach, Stored)>, Error> {
        self.judged(open, caller, Owner::Own, Action::Read)?;
        let foreign = Foreign { caller, groups, owner: request.owner, name: &request.name };
        self.read(|tx| {
            let reach = foreign.reach(self, open, tx, |share| share.uses_left.is_none())?;
            reach.and_then(|reach| {
                let value = value_of(tx, &reach)?;
                Ok((reach, value))
            })
        })
    }

    fn fetch_shared<P>(
        &self,
        open: &OpenVault,
        (caller, request): (&Caller, &GetRequest),
        (reach, value): (Reach, Stored),
        make_place: impl FnOnce(u64) -> Result<P, Error>,
    ) -> Result<Fetched<P>, Error> {
        let shelf = reach.shelf(self, open);
        let info = reach.info()?;
        check_version(&info, request)?;
        check(&info, reach.found.version.is_expired(&shelf.now), request)?;
        if reach.share_for(Permission::Read).is_none_or(|share| share.meta.uses_left.is_some()) {
            let at_once = value.at_once(info.size);
            return Ok(Fetched::Counted(info, at_once));
        }
        let place = make_place(value.at_once(info.size))?;
        let value = self.open_stored((&shelf, caller), &reach.found, &value).map_err(of_another)?;
        Ok(Fetched::Opened(Box::new(Opened { info: Arc::new(info), value, place, receipt: None })))
    }

    /// Uses a share whose uses are counted, for a value of `size` bytes. Answers once it is durable that the use is spent.
    pub fn get_counted(
        self: &Arc<Self>,
        caller: &Caller,
        request: GetRequest,
        groups: Vec<GroupNow>,
        size: u64,
        reply: Reply<Used>,
    ) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = event(caller, &request);
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        let noted = Arc::clone(self);
        let reply: Reply<Result<Used, Error>> = Box::new(move |used| {
            reply(used.and_then(|used| used.inspect_err(|error| noted.note_refusal(&event, error))));
        });
        self.write(apart_from_tokens(&audited), Effect::Reserved, reply, move |tx| {
            vault.check_values_leave()?;
            let reached = vault.reach_to_use(&open, tx, &caller, &request, &groups);
            let (reach, info, value) = match reached {
                // Nothing is written for it.
                Err(error @ (Error::NotFound | Error::ShareOver | Error::AccessDenied(_) | Error::OwnerLocked)) => {
                    return Ok(Err(error));
                }
                reached => reached?,
            };
            if info.size != size {
                return Ok(Ok(Used::Resized));
            }
            if let Some(share) = reach.share_for(Permission::Read) {
                use_once(tx, &reach.shelf(&vault, &open), &share.row, &share.meta)?;
            }
            vault.record_mutation(&open, tx, &audited, info.version)?;
            Ok(Ok(Used::Value(Box::new(info), value)))
        });
    }

    fn reach_to_use(
        &self,
        open: &OpenVault,
        tx: &dyn ReadTx,
        caller: &Caller,
        request: &GetRequest,
        groups: &[GroupNow],
    ) -> Result<(Reach, TokenInfo, OpenedValue), Error> {
        self.judged_in(open, tx, caller, Owner::Own, Action::Read)?;
        let foreign = Foreign { caller, groups, owner: request.owner, name: &request.name };
        // It was shared a moment ago.
        let reach = match foreign.reach_again(self, open, tx) {
            Ok(Asked::Answer(reach)) => reach,
            Ok(Asked::Groups(_)) | Err(Error::NotFound) => return Err(Error::ShareOver),
            Err(error) => return Err(error),
        };
        let (shelf, info) = (reach.shelf(self, open), reach.info()?);
        check_version(&info, request)?;
        check(&info, reach.found.version.is_expired(&shelf.now), request)?;
        let value = self.open_stored((&shelf, caller), &reach.found, &value_of(tx, &reach)?).map_err(of_another)?;
        Ok((reach, info, value))
    }

    /// Describes a token that is not the caller's own. It is no use of a share.
    ///
    /// # Errors
    /// As [`Vault::get_shared`].
    pub fn describe_shared(
        &self,
        caller: &Caller,
        request: &NamedRequest,
        groups: &[GroupNow],
    ) -> Result<Asked<TokenInfo>, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "Describe").about(request.owner.uid(caller), request.name.as_str());
        let describe = || {
            self.judged(&open, caller, Owner::Own, Action::Read)?;
            let foreign = Foreign { caller, groups, owner: request.owner, name: &request.name };
            let writes = |share: &super::ShareMeta| share.permission == Permission::Write;
            self.read(|tx| foreign.reach(self, &open, tx, writes))?.and_then(|reach| reach.info())
        };
        describe().inspect_err(|error| self.note_refusal(&event, error))
    }
}

/// The value of the current version, still encrypted.
fn value_of(tx: &dyn ReadTx, reach: &Reach) -> Result<Stored, Error> {
    let row = &reach.found.row;
    let version = tx.version(row.id, row.current)?;
    let version =
        version.ok_or_else(|| Error::Quarantined(format!("token {} has lost its current version", row.id)))?;
    Stored::find(tx, version).map(|(_, value)| value)
}

/// What was shared is the token as it is now, and not what it was before that.
fn check_version(info: &TokenInfo, request: &GetRequest) -> Result<(), Error> {
    if request.version.is_none_or(|version| version == info.version) {
        return Ok(());
    }
    Err(Error::AccessDenied("what is shared with you is the current version; leave the number of a version out".into()))
}
