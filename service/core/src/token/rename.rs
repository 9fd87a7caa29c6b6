//! `Rename`.

use std::sync::Arc;

use crate::Caller;
use crate::crypto::tag;
use crate::error::Error;
use crate::name::TokenName;
use crate::policy::Action;
use crate::port::WriteTx;
use crate::token::found::Shelf;
use crate::token::put::signed;
use crate::token::request::NamedRequest;
use crate::vault::{Effect, Event, Reply, Vault};

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
        self.write(event, Effect::Grows, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Write)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { vault: &open.id, principal: &principal, now: vault.now() };
            rename(&vault, tx, shelf, &request.name, &to)?;
            vault.record_mutation(&open, tx, &audited, 0)
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
    make_way(tx, shelf, to)?;
    let mut row = found.row.clone();
    row.name_tag = tag::name_tag(&shelf.principal.index_key, to);
    let mut meta = found.meta.clone();
    to.as_str().clone_into(&mut meta.name);
    meta.updated = shelf.now;
    shelf.rewrap(tx, (&found.row, &found.meta), (&row, &meta), vault.memory())?;
    shelf.records().seal_token(&mut row, &meta)?;
    Ok(tx.update_token(&row)?)
}

/// Frees the new name where an expired token still holds it.
fn make_way(tx: &mut dyn WriteTx, shelf: Shelf<'_>, to: &TokenName) -> Result<(), Error> {
    let Some(holder) = shelf.find_any(tx, to)? else { return Ok(()) };
    if !holder.version.is_expired(shelf.now) {
        return Err(Error::Exists);
    }
    let bytes: u64 = tx.versions(holder.row.id)?.iter().map(|head| head.stored_bytes).sum();
    tx.delete_token(holder.row.id)?;
    Ok(tx.add_usage(shelf.principal.id, -1, -signed(bytes)?)?)
}
