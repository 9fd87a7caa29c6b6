//! `Annotate`: everything about a token but its value and name.

use std::sync::Arc;

use crate::Caller;
use crate::announcement::Happened;
use crate::error::Error;
use crate::policy::Action;
use crate::port::WriteTx;
use crate::token::found::{Found, Shelf};
use crate::token::metadata::VersionMeta;
use crate::token::put::drop_old_versions;
use crate::token::request::{Annotation, NamedRequest, check_keep_versions};
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, Reply, Vault};

impl Vault {
    /// Changes what is given, leaves the rest. Answers once it is durable.
    pub fn annotate(self: &Arc<Self>, caller: &Caller, request: NamedRequest, change: Annotation, reply: Reply<()>) {
        let checked = change.keep_versions.map(check_keep_versions).transpose();
        let open = match self.open().and_then(|open| checked.map(|_| open)) {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = Event::new(caller, "Annotate").about(request.owner.uid(caller), request.name.as_str());
        let (vault, caller, audited) = (Arc::clone(self), caller.clone(), event.clone());
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let principal =
                vault.judged_in(&open, tx, &caller, request.owner, Action::Write)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: vault.now() };
            let found = shelf.find(tx, &request.name)?;
            let version = found.row.current;
            annotate(&vault, tx, shelf, found, &change)?;
            vault.record_mutation(&open, tx, &audited, version)?;
            Ok(((), shelf.announce(tx, &request.name, Happened::Annotated)?))
        });
    }
}

fn annotate(
    vault: &Vault,
    tx: &mut dyn WriteTx,
    shelf: Shelf<'_>,
    found: Found,
    change: &Annotation,
) -> Result<(), Error> {
    let records = shelf.records();
    let mut counted = Change { freed: usage::of_token(&found.row, &found.meta), ..Change::default() };
    let mut meta = found.meta.clone();
    meta.updated = shelf.now;
    if let Some(attributes) = &change.attributes {
        attributes.as_map().clone_into(&mut meta.attributes);
        shelf.index_attributes(tx, found.row.id, &meta.attributes)?;
    }
    meta.keep_versions = change.keep_versions.unwrap_or(meta.keep_versions);
    meta.require_purpose = change.require_purpose.unwrap_or(meta.require_purpose);
    if meta.require_purpose != found.meta.require_purpose {
        shelf.rewrap(tx, (&found.row, &found.meta), (&found.row, &meta), vault.memory())?;
    }
    let version = changed_version(&found.version, change, &shelf)?;
    if version != found.version {
        // The head is read again: the step before may have rewrapped its DEK.
        let mut head = tx
            .version_head(found.row.id, found.row.current)?
            .ok_or_else(|| Error::Internal(format!("token {} lost its version", found.row.id)))?;
        let dek = records.open_dek((&found.row, &meta), (&head, &found.version), vault.memory())?;
        records.seal_version(&mut head, &version)?;
        records.seal_dek((&found.row, &meta), (&mut head, &version), &dek)?;
        tx.update_version(&head)?;
        counted.freed += usage::of_version(&found.head);
        counted.added += usage::of_version(&head);
    }
    let mut row = found.row;
    records.seal_token(&mut row, &meta)?;
    tx.update_token(&row)?;
    counted.added += usage::of_token(&row, &meta);
    counted.freed += drop_old_versions(tx, &row, meta.keep_versions)?;
    counted.count_within_quota(tx, vault, shelf.principal)
}

fn changed_version(before: &VersionMeta, change: &Annotation, shelf: &Shelf<'_>) -> Result<VersionMeta, Error> {
    let mut version = before.clone();
    if let Some(content_type) = &change.content_type {
        content_type.as_str().clone_into(&mut version.content_type);
    }
    if let Some(expiry) = change.expiry {
        version.expires = expiry.resolve(shelf.now)?;
    }
    Ok(version)
}
