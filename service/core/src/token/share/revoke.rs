//! `Unshare`: a share ends.

use std::sync::Arc;

use super::{drop_share, note_shared};
use crate::Caller;
use crate::error::Error;
use crate::grantee::{Grantee, GranteeText};
use crate::policy::Action;
use crate::port::{ReadTx, ShareRow};
use crate::token::found::{Found, Shelf};
use crate::token::request::NamedRequest;
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Ends a share, also with a grantee who is no longer there; where a name means more than one, each of them. Answers once
    /// it is durable: from then on nothing is given out for it.
    pub fn unshare(self: &Arc<Self>, caller: &Caller, request: NamedRequest, grantee: GranteeText, reply: Reply<()>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let mut event = Event::new(caller, "Unshare").about(request.owner.uid(caller), request.name.as_str());
        event.grantee = Some(grantee.to_string());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        // One that has ended is gone for everyone; ending it takes away what it still holds of the quota.
        let reply: Reply<bool> =
            Box::new(|live| reply(live.and_then(|live| live.then_some(()).ok_or(Error::NotShared))));
        self.write(event, Effect::Reserved, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Share)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.now() };
            let found = shelf.find(tx, &request.name)?;
            let meant = shares_with(tx, &shelf, &found, &grantee)?;
            let (mut live, mut freed) = (false, 0);
            for (row, has_ended) in &meant {
                live |= !has_ended;
                freed += drop_share(tx, row)?;
            }
            if meant.is_empty() {
                return Err(Error::NotShared);
            }
            let left = !ReadTx::shares(tx, found.row.id)?.is_empty();
            let mut counted = note_shared(tx, &shelf, &found, left)?;
            counted.freed += freed;
            counted.count(tx, &principal)?;
            vault.record_mutation(&open, tx, &audited, found.row.current)?;
            Ok(live)
        });
    }
}

/// The shares with a grantee, and whether each has ended. Users and groups are looked for by what was kept of them: what the
/// user database says of them now does not matter here, nor whether it answers.
fn shares_with(
    tx: &dyn ReadTx,
    shelf: &Shelf<'_>,
    found: &Found,
    grantee: &GranteeText,
) -> Result<Vec<(ShareRow, bool)>, Error> {
    let rows = match grantee {
        GranteeText::Unit(name) => {
            let tag = shelf.open.grantee_tag(&Grantee::Unit(name.clone()));
            tx.share(found.row.id, &tag)?.into_iter().collect()
        }
        GranteeText::User(_) | GranteeText::Uid(_) | GranteeText::Group(_) => tx.shares(found.row.id)?,
    };
    let mut meant = Vec::new();
    for row in rows {
        let share = shelf.records().open_share(&row)?;
        if grantee.means(&share.grantee) {
            meant.push((row, share.has_ended(shelf.now)));
        }
    }
    Ok(meant)
}
