//! `Rename`.

use std::sync::Arc;

use crate::Caller;
use crate::announcement::{Announcement, Happened};
use crate::crypto::tag;
use crate::error::Error;
use crate::name::TokenName;
use crate::policy::Action;
use crate::port::WriteTx;
use crate::token::delete::delete_token;
use crate::token::found::Shelf;
use crate::token::request::NamedRequest;
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, ReadsBefore, Reply, Vault};

impl Vault {
    /// Gives a token another name. Refused with [`Error::Exists`] when a live token has it; an expired one gives way.
    pub fn rename(self: &Arc<Self>, caller: &Caller, request: NamedRequest, to: TokenName, reply: Reply<()>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let mut event = Event::new(caller, "Rename").about(request.owner.uid(caller), request.name.as_str());
        event.renamed_to = Some(to.as_str().to_owned());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        let reads = Arc::new(ReadsBefore::default());
        let reply = reads.settle_before(self, reply);
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Write)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            rename(&vault, tx, shelf, &request.name, &to)?;
            if request.name != to {
                reads.record(&vault, &open, tx, (principal.uid, request.name.as_str()))?;
            }
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok(((), renamed(&vault, tx, shelf, (&request.name, &to))?))
        });
    }
}

fn rename(
    vault: &Vault,
    tx: &mut dyn WriteTx,
    shelf: Shelf<'_>,
    from: &TokenName,
    to: &TokenName,
) -> Result<(), Error> {
    let found = shelf.find(tx, from)?;
    if from == to {
        return Ok(());
    }
    let mut counted = make_way(tx, shelf, to)?;
    let mut row = found.row.clone();
    row.name_tag = tag::name_tag(&shelf.principal.index_key, to);
    let mut meta = found.meta.clone();
    to.as_str().clone_into(&mut meta.name);
    meta.updated = shelf.now.time;
    shelf.rewrap(tx, (&found.row, &found.meta), (&row, &meta), vault.memory())?;
    shelf.records().seal_token(&mut row, &meta)?;
    tx.update_token(&row)?;
    counted.added += usage::of_token(&row, &meta);
    counted.freed += usage::of_token(&found.row, &found.meta);
    counted.count_within_quota(tx, vault, shelf.principal)
}

/// What is said: of the name that nothing has any more, then of the one that it has now.
fn renamed(
    vault: &Vault,
    tx: &mut dyn WriteTx,
    shelf: Shelf<'_>,
    (from, to): (&TokenName, &TokenName),
) -> Result<Vec<Announcement>, Error> {
    if from == to {
        return Ok(Vec::new());
    }
    let here = shelf.announce(vault, tx, (to, Happened::Renamed))?;
    let gone =
        |here: &Announcement| Announcement::gone(here.owner, from.as_str(), Happened::Renamed, here.grantees.clone());
    Ok(here.iter().map(gone).chain(here.iter().cloned()).collect())
}

/// Frees the new name where an expired token still holds it; what is to be counted for that.
fn make_way(tx: &mut dyn WriteTx, shelf: Shelf<'_>, to: &TokenName) -> Result<Change, Error> {
    let Some(holder) = shelf.find_any(tx, to)? else { return Ok(Change::default()) };
    if !holder.version.is_expired(&shelf.now) {
        return Err(Error::Exists);
    }
    delete_token(tx, &holder)
}
