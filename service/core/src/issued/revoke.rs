//! `Revoke` and `RevokeAll`: what was issued is good for nothing any more, and gone.

use std::sync::Arc;

use super::code;
use super::list::STEP;
use super::record::IssuedKey;
use super::request::IssuedFilter;
use super::text::IssuedId;
use crate::Caller;
use crate::error::Error;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{Tag, WriteTx};
use crate::principal::Principal;
use crate::token::usage::{self, Change};
use crate::vault::{Event, OpenVault, Reply, Vault};

/// What is to be revoked.
enum Named {
    /// A token or a code.
    Issued(IssuedId),
    /// An offer, by how its code begins.
    Offer(String),
}

impl Named {
    fn parse(id: &str) -> Option<Self> {
        if code::is_selector(id) {
            return Some(Self::Offer(id.to_owned()));
        }
        IssuedId::parse(id).map(Self::Issued)
    }

    fn tag(&self, key: &IssuedKey) -> Tag {
        match self {
            Self::Issued(id) => key.tag(*id),
            Self::Offer(selector) => key.offer_tag(selector),
        }
    }

    /// Where it may lie opened.
    const fn id(&self) -> Option<IssuedId> {
        match self {
            Self::Issued(id) => Some(*id),
            Self::Offer(_) => None,
        }
    }
}

impl Vault {
    /// Revokes what the caller has issued. Answers once it is durable: from then on it is not valid.
    pub fn revoke(self: &Arc<Self>, caller: &Caller, id: &str, reply: Reply<()>) {
        let event = Event::new(caller, "Revoke").about(Some(caller.uid), id);
        let open = match self.open() {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let Some(named) = Named::parse(id) else {
            self.note_refusal(&event, &Error::NotFound);
            return reply(Err(Error::NotFound));
        };
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        // What has expired is gone for everyone; revoking it takes away what it still holds of the quota.
        let reply: Reply<bool> =
            Box::new(move |live| reply(live.and_then(|live| live.then_some(()).ok_or(Error::NotFound))));
        self.write_issued(&event, named.id().into_iter().collect(), reply, move |tx| {
            let principal = vault.judged_in(&open, tx, &caller, Owner::Own, Action::Read)?.ok_or(Error::NotFound)?;
            // A row is read whether or not there is this one, so that the time it takes tells nobody which.
            let found = open.find_issued_or_other(tx, |key| named.tag(key))?;
            let found = found.filter(|(row, key)| key.is_some() && row.principal == principal.id);
            let (row, _) = found.ok_or(Error::NotFound)?;
            let live = open.open_issued(&principal, &row)?.is_live(&vault.moment());
            delete(tx, &principal, &[row.tag])?;
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok(live)
        });
    }

    /// Revokes all of what the caller has issued until now that a filter means; how many. Blocks; it goes in steps, so that
    /// others write in between.
    ///
    /// # Errors
    /// See [`Error`]. What was revoked by then stays so.
    pub fn revoke_all(self: &Arc<Self>, caller: &Caller, filter: &IssuedFilter) -> Result<u64, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "RevokeAll").about(Some(caller.uid), "");
        let judged = self.judged(&open, caller, Owner::Own, Action::Read);
        let Some(principal) = judged.inspect_err(|error| self.note_refusal(&event, error))? else { return Ok(0) };
        let (mut after, mut count) = ((0, 0), 0);
        loop {
            let rows = self.issued_behind(&open, &principal, after)?;
            let exhausted = rows.len() < STEP;
            let Some((last, _)) = rows.last() else { return Ok(count) };
            after = (last.expires_day, last.id);
            let meant = rows.into_iter().filter_map(|(row, info)| Some((row.tag, info?)));
            let (tags, ids): (Vec<Tag>, Vec<Option<IssuedId>>) = meant
                .filter(|(_, info)| filter.matches(info))
                .map(|(tag, info)| (tag, IssuedId::parse(&info.id)))
                .unzip();
            if !tags.is_empty() {
                count += self.revoke_step(&event, &open, &principal, (tags, ids.into_iter().flatten().collect()))?;
            }
            if exhausted {
                return Ok(count);
            }
        }
    }

    fn revoke_step(
        self: &Arc<Self>,
        event: &Event,
        open: &Arc<OpenVault>,
        principal: &Arc<Principal>,
        (tags, ids): (Vec<Tag>, Vec<IssuedId>),
    ) -> Result<u64, Error> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let reply: Reply<u64> = Box::new(move |result| drop(sender.send(result)));
        let (vault, open, principal, audited) =
            (Arc::clone(self), Arc::clone(open), Arc::clone(principal), event.clone());
        self.write_issued(event, ids, reply, move |tx| {
            let count = delete(tx, &principal, &tags)?;
            vault.record_many(&open, tx, &audited, count)?;
            Ok(count)
        });
        receiver.recv().unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping; retry".into())))
    }
}

/// Takes away what is there of these; how many.
fn delete(tx: &mut dyn WriteTx, principal: &Principal, tags: &[Tag]) -> Result<u64, Error> {
    let (mut change, mut count) = (Change::default(), 0);
    for tag in tags {
        if let Some(row) = tx.delete_issued(tag)? {
            change.issued -= 1;
            change.freed += usage::of_issued(&row);
            count += 1;
        }
    }
    change.count(tx, principal)?;
    Ok(count)
}
