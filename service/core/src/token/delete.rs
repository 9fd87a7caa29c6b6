//! `Delete`: a token, or one version of it.

use std::sync::Arc;

use crate::announcement::{Announcement, Happened};
use crate::error::Error;
use crate::policy::Action;
use crate::port::{VersionHead, WriteTx};
use crate::token::found::{Found, Shelf};
use crate::token::offer::drop_offers;
use crate::token::request::NamedRequest;
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, ReadsBefore, Reply, Vault};
use crate::{Caller, Timestamp};

impl Vault {
    /// Deletes a token, or with `version` only that one; with its last version a token goes as well. Answers once it is
    /// durable; the plaintext's key is then gone from the store, and from the log within a second.
    pub fn delete(self: &Arc<Self>, caller: &Caller, request: NamedRequest, version: Option<u64>, reply: Reply<()>) {
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = Event::new(caller, "Delete").about(request.owner.uid(caller), request.name.as_str());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        // An expired token is gone for everyone; its owner's Delete takes away what it still holds of the quota.
        let reply: Reply<bool> =
            Box::new(|found| reply(found.and_then(|found| found.then_some(()).ok_or(Error::NotFound))));
        let reads = Arc::new(ReadsBefore::default());
        let reply = reads.settle_before(self, reply);
        self.write_announced(event, Effect::Erases, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Write)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.moment() };
            let found = shelf.find_any(tx, &request.name)?.ok_or(Error::NotFound)?;
            let live = !found.version.is_expired(&shelf.now);
            let grantees = shelf.grantees(&vault, tx, &found)?;
            match version {
                Some(_) if !live => return Err(Error::NotFound),
                Some(version) => delete_version(tx, &shelf, found, (version, vault.certain_time()))?,
                None => delete_token(tx, &found)?.count(tx, &principal)?,
            }
            reads.record(&vault, &open, tx, (principal.uid, request.name.as_str()))?;
            vault.record_mutation(&open, tx, &audited, version.unwrap_or(0))?;
            let mut said = shelf.announce(&vault, tx, (&request.name, Happened::VersionDeleted))?;
            // Of an expired one it was said when it did.
            if live && said.is_empty() {
                said.push(Announcement::gone(principal.uid, request.name.as_str(), Happened::Deleted, grantees));
            }
            Ok((live, said))
        });
    }
}

/// Takes a token away with everything it holds; what is to be counted for it.
pub(super) fn delete_token(tx: &mut dyn WriteTx, found: &Found) -> Result<Change, Error> {
    let versions: u64 = tx.versions(found.row.id)?.iter().map(usage::of_version).sum();
    let shares: u64 = tx.shares(found.row.id)?.iter().map(usage::of_share).sum();
    let offers = drop_offers(tx, found.row.id)?;
    tx.delete_token(found.row.id)?;
    let freed = versions + shares + offers.freed + usage::of_token(&found.row, &found.meta);
    Ok(Change { tokens: -1, freed, ..offers })
}

/// Deletes a version. Where that was the current one, the newest one left that has not expired becomes it, and those between them
/// go as well: one of them as the current version would end the token. That is where they have ended by a time that is `certain`;
/// else the newest one left becomes the current version, and what is deleted by a wrong clock is nothing.
fn delete_version(
    tx: &mut dyn WriteTx,
    shelf: &Shelf<'_>,
    found: Found,
    (version, certain): (u64, Option<Timestamp>),
) -> Result<(), Error> {
    let versions = tx.versions(found.row.id)?;
    if !versions.iter().any(|head| head.version == version) {
        return Err(Error::NotFound);
    }
    let mut left: Vec<_> = versions.iter().filter(|head| head.version != version).collect();
    let mut gone = vec![version];
    if found.row.current == version
        && let Some(live) = newest_live(shelf, &left, certain)?
    {
        gone.extend(left.split_off(live + 1).iter().map(|head| head.version));
    }
    let Some(newest_left) = left.last().map(|head| head.version) else {
        return delete_token(tx, &found)?.count(tx, shelf.principal);
    };
    let mut freed = usage::of_token(&found.row, &found.meta);
    for version in gone {
        freed += tx.delete_version(found.row.id, version)?.map_or(0, |head| usage::of_version(&head));
    }
    let Found { mut row, mut meta, .. } = found;
    if row.current == version {
        row.current = newest_left;
    }
    meta.updated = shelf.now.time;
    shelf.records().seal_token(&mut row, &meta)?;
    tx.update_token(&row)?;
    Change { added: usage::of_token(&row, &meta), freed, ..Change::default() }.count(tx, shelf.principal)
}

/// Where among versions, the oldest first, the newest stands that has not expired; `None` also where one behind it has not
/// certainly ended.
fn newest_live(
    shelf: &Shelf<'_>,
    versions: &[&VersionHead],
    certain: Option<Timestamp>,
) -> Result<Option<usize>, Error> {
    for (at, head) in versions.iter().enumerate().rev() {
        let version = shelf.records().open_version(head)?;
        if !version.is_expired(&shelf.now) {
            return Ok(Some(at));
        }
        let has_ended = |certain: Timestamp| version.expires.is_some_and(|end| end <= certain);
        if !certain.is_some_and(has_ended) {
            return Ok(None);
        }
    }
    Ok(None)
}
