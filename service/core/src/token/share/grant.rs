//! `Share`: a token for somebody else too.

use std::sync::Arc;

use super::{SHARES_MAX, ShareMeta, ShareRequest, drop_share, note_shared};
use crate::Caller;
use crate::announcement::{Announcement, News};
use crate::error::Error;
use crate::grantee::Grantee;
use crate::moment::End;
use crate::policy::{self, Action};
use crate::port::{NewShare, ReadTx, ShareRow, Tag, WriteTx};
use crate::token::found::{Found, Shelf};
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Shares a token. A share the grantee has already is replaced. Answers once it is durable.
    pub fn share(self: &Arc<Self>, caller: &Caller, request: ShareRequest, reply: Reply<()>) {
        let checked = self.check_share(&request);
        let open = match self.open().and_then(|open| checked.map(|()| open)) {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let token = &request.token;
        let mut event = Event::new(caller, "Share").about(token.owner.uid(caller), token.name.as_str());
        event.grantee = Some(request.grantee.to_string());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        let grantee_tag = open.grantee_tag(&request.grantee);
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let owner = request.token.owner;
            let principal = vault.judged_in(&open, tx, &caller, owner, Action::Share)?.ok_or(Error::NotFound)?;
            policy::judge_grantee(caller.uid, principal.uid, &request.grantee).into_result()?;
            check_not_owner(principal.uid, &request.grantee)?;
            check_name(&request)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let found = shelf.find(tx, &request.token.name)?;
            let version = found.row.current;
            let counted = store(tx, &shelf, &found, (&grantee_tag, &request))?;
            counted.count_within_quota(tx, &vault, &principal)?;
            vault.record_mutation(&open, tx, &audited, version)?;
            let name = request.token.name.as_str().to_owned();
            let grantees = vec![request.grantee.clone()];
            Ok(((), vec![Announcement { owner: principal.uid, name, news: News::Shared, grantees }]))
        });
    }

    fn check_share(&self, request: &ShareRequest) -> Result<(), Error> {
        request.grantee.check_permission(request.permission)?;
        if request.uses == Some(0) {
            return Err(Error::InvalidArgs("option 'uses' must be 1 or more; to end a share, unshare it".into()));
        }
        if let Some(expires) = request.expires {
            if expires <= self.now() {
                return Err(Error::InvalidArgs("the share would have expired already; give a later time".into()));
            }
            // D-Bus and the store hold it as 64 bits; SQLite's are signed.
            if i64::try_from(expires.as_usec()).is_err() {
                return Err(Error::InvalidArgs("option 'expires' lies past the end of time".into()));
            }
        }
        Ok(())
    }
}

/// Refuses a name that no unit can ask for.
fn check_name(request: &ShareRequest) -> Result<(), Error> {
    if matches!(request.grantee, Grantee::Unit(_)) && request.token.name.as_str().contains('/') {
        return Err(Error::InvalidArgs(
            "no unit can ask for a token with '/' in its name, which cannot be the name of a credential's file; share one without"
                .into(),
        ));
    }
    Ok(())
}

/// Refuses a grantee who has the token already.
fn check_not_owner(owner: u32, grantee: &Grantee) -> Result<(), Error> {
    match grantee {
        Grantee::User(user) if user.number == owner => Err(Error::InvalidArgs(
            "the grantee is the owner of the token, who has it already; name somebody else".into(),
        )),
        _ => Ok(()),
    }
}

fn store(
    tx: &mut dyn WriteTx,
    shelf: &Shelf<'_>,
    found: &Found,
    (grantee_tag, request): (&Tag, &ShareRequest),
) -> Result<Change, Error> {
    let token = found.row.id;
    let before = tx.share(token, grantee_tag)?;
    let mut freed = before.as_ref().map_or(0, usage::of_share);
    let id = match before {
        Some(before) => before.id,
        None => {
            freed += make_room(tx, shelf, token)?;
            tx.insert_share(&NewShare { token, grantee_tag })?
        }
    };
    let meta = ShareMeta {
        grantee: request.grantee.clone(),
        permission: request.permission,
        created: shelf.now.time,
        expires: request.expires,
        uses_left: request.uses,
        note: request.note.as_str().to_owned(),
        deadline: request.expires.and_then(|at| End::said(at, &shelf.now).deadline),
    };
    let mut row = ShareRow { id, token, grantee_tag: *grantee_tag, expires_day: None, meta: Vec::new() };
    shelf.records().seal_share(&mut row, &meta)?;
    tx.update_share(&row)?;
    let mut counted = note_shared(tx, shelf, found, true)?;
    counted.added += usage::of_share(&row);
    counted.freed += freed;
    Ok(counted)
}

/// Sees to it that a token can have one more share; what became free. Where it has as many as it may have, those that have ended
/// and are listed no more are taken away; while it has not, they stay until they are cleaned up: the clock may be wrong.
fn make_room(tx: &mut dyn WriteTx, shelf: &Shelf<'_>, token: i64) -> Result<u64, Error> {
    let shares = ReadTx::shares(tx, token)?;
    if shares.len() < SHARES_MAX {
        return Ok(0);
    }
    let mut ended = Vec::new();
    for share in &shares {
        if shelf.records().open_share(share)?.has_ended(&shelf.now) {
            ended.push(share);
        }
    }
    if ended.is_empty() {
        return Err(Error::LimitsExceeded {
            limit: "shares",
            retry: format!("a token has at most {SHARES_MAX} shares; unshare it with somebody first"),
        });
    }
    ended.into_iter().map(|share| drop_share(tx, share)).sum()
}
