//! `Unshare`: a share ends.

use std::sync::Arc;

use super::note_shared;
use crate::Caller;
use crate::error::Error;
use crate::grantee::Grantee;
use crate::policy::Action;
use crate::port::ReadTx;
use crate::token::found::Shelf;
use crate::token::request::NamedRequest;
use crate::token::usage;
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Ends a share. Answers once it is durable: from then on nothing is given out for it.
    pub fn unshare(self: &Arc<Self>, caller: &Caller, request: NamedRequest, grantee: &Grantee, reply: Reply<()>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let mut event = Event::new(caller, "Unshare").about(request.owner.uid(caller), request.name.as_str());
        event.grantee = Some(grantee.to_string());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        let grantee_tag = open.grantee_tag(grantee);
        // One that has expired is gone for everyone; ending it takes away what it still holds of the quota.
        let reply: Reply<bool> =
            Box::new(|live| reply(live.and_then(|live| live.then_some(()).ok_or(Error::NotShared))));
        self.write(event, Effect::Reserved, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Share)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.now() };
            let found = shelf.find(tx, &request.name)?;
            let row = tx.share(found.row.id, &grantee_tag)?.ok_or(Error::NotShared)?;
            let live = !shelf.records().open_share(&row)?.is_expired(shelf.now);
            tx.delete_share(row.id)?;
            let left = !ReadTx::shares(tx, found.row.id)?.is_empty();
            let mut counted = note_shared(tx, &shelf, &found, left)?;
            counted.freed += usage::of_share(&row);
            counted.count(tx, &principal)?;
            vault.record_mutation(&open, tx, &audited, found.row.current)?;
            Ok(live)
        });
    }
}
