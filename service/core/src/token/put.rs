//! `Put`, and storing what `Generate` made.

use std::sync::Arc;

use crate::Caller;
use crate::Secret;
use crate::announcement::{Announcement, Happened};
use crate::crypto::{pad, tag};
use crate::error::Error;
use crate::name::TokenName;
use crate::policy::Action;
use crate::port::{NewToken, ReadTx, TokenRow, VersionHead, VersionRow, WriteTx};
use crate::principal::Principal;
use crate::token::attachment::Body;
use crate::token::found::{Found, Shelf, TokenInfo};
use crate::token::metadata::{Class, TokenMeta, VersionMeta};
use crate::token::offer::drop_offers;
use crate::token::request::{KEEP_VERSIONS_DEFAULT, PutMode, PutOptions, PutRequest, check_keep_versions};
use crate::token::share::{Foreign, Right, drop_shares};
use crate::token::usage::{self, Change};
use crate::vault::{Effect, Event, OpenVault, Reply, Vault};

impl Vault {
    /// Stores a value as a new version. Answers once it is durable, with the token as it is then.
    pub fn put(self: &Arc<Self>, caller: &Caller, request: PutRequest, reply: Reply<TokenInfo>) {
        self.put_shared(caller, "Put", request.name, request.options, Arc::new(request.value), reply);
    }

    /// Stores what `Generate` made. The value stays with the caller of this as well.
    pub fn put_generated(
        self: &Arc<Self>,
        caller: &Caller,
        name: TokenName,
        options: PutOptions,
        value: Arc<Secret>,
        reply: Reply<TokenInfo>,
    ) {
        self.put_shared(caller, "Generate", name, options, value, reply);
    }

    fn put_shared(
        self: &Arc<Self>,
        caller: &Caller,
        operation: &'static str,
        name: TokenName,
        options: PutOptions,
        value: Arc<Secret>,
        reply: Reply<TokenInfo>,
    ) {
        let open = match self.open().and_then(|open| self.check_value(&value, &options).map(|()| open)) {
            Ok(open) => open,
            Err(error) => return reply(Err(error)),
        };
        let event = Event::new(caller, operation).about(options.owner.uid(caller), name.as_str());
        let (vault, audited) = (Arc::clone(self), event.clone());
        self.write_announced(event, Effect::Grows, reply, move |tx| {
            let wanted = Wanted { event: &audited, name: &name, options: &options };
            let right = vault.right_to_put(&open, tx, &wanted.asked())?;
            vault.put_in(&open, tx, (&wanted, &right), &Body::Value(&value))
        });
    }

    /// Stores a value inside a transaction, by the right the caller has.
    pub(super) fn put_in(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        (wanted, right): (&Wanted<'_>, &Right),
        value: &Body<'_>,
    ) -> Result<(TokenInfo, Vec<Announcement>), Error> {
        let Wanted { event, name, options } = *wanted;
        let shelf = Shelf { open, principal: right.owner(), now: self.moment() };
        let info = match right {
            Right::Owner(_) => Put { vault: self, shelf, name, options }.store(tx, value)?,
            Right::Grantee(reach) => self.put_as_grantee(open, tx, reach, (name, options, value))?,
        };
        self.record_mutation(open, tx, event, info.version)?;
        let happened = if event.operation == "Generate" { Happened::Generated } else { Happened::Put };
        let said = shelf.announce_stored(self, tx, name, (&info, happened))?;
        Ok((info, said))
    }

    fn check_value(&self, value: &Secret, options: &PutOptions) -> Result<(), Error> {
        if value.is_empty() {
            return Err(Error::InvalidArgs("the value is empty; to take a token away, delete it".into()));
        }
        // Without a limit of its own there is still the one of the format.
        let longest = pad::VALUE_BYTES_MAX as u64;
        let limit = match self.settings().value_bytes {
            0 => longest,
            limit => limit.min(longest),
        };
        if value.len() as u64 > limit {
            return Err(Error::InvalidArgs(format!("the value is longer than {limit} bytes (limit 'value-bytes')")));
        }
        self.check_put(options)
    }

    /// Checks what comes with a value.
    pub(super) fn check_put(&self, options: &PutOptions) -> Result<(), Error> {
        options.keep_versions.map(check_keep_versions).transpose().map(|_| ())
    }

    /// The principal whose tokens `caller` may write; enrols the caller when it comes for the first time.
    pub(super) fn judged_writer(
        &self,
        open: &OpenVault,
        tx: &mut dyn WriteTx,
        caller: &Caller,
        owner: crate::owner::Owner,
    ) -> Result<Arc<Principal>, Error> {
        if let Some(principal) = self.judged_in(open, tx, caller, owner, Action::Write)? {
            return Ok(principal);
        }
        self.enrol(open, tx, caller, owner)
    }
}

/// A `Put` as it was asked for.
pub(super) struct Wanted<'a> {
    /// By whom, and what the audit log is told of it.
    pub event: &'a Event,
    pub name: &'a TokenName,
    pub options: &'a PutOptions,
}

impl<'a> Wanted<'a> {
    /// The token, which may be another's.
    pub const fn asked(&self) -> Foreign<'a> {
        Foreign {
            caller: &self.event.caller,
            groups: self.options.groups.as_slice(),
            owner: self.options.owner,
            name: self.name,
        }
    }
}

/// One `Put` inside its transaction.
pub(super) struct Put<'a> {
    pub vault: &'a Vault,
    pub shelf: Shelf<'a>,
    pub name: &'a TokenName,
    pub options: &'a PutOptions,
}

impl Put<'_> {
    /// Refuses what [`Put::store`] would, as far as it can be told without the value.
    pub(super) fn check(&self, tx: &dyn ReadTx) -> Result<(), Error> {
        let existing = self.shelf.find_any(tx, self.name)?;
        self.check_preconditions(existing.as_ref())?;
        self.options.expiry.resolve(&self.shelf.now)?;
        let live = existing.as_ref().filter(|found| !found.version.is_expired(&self.shelf.now));
        self.shelf.records().check_unlocked(self.class(live)?)
    }

    pub(super) fn store(&self, tx: &mut dyn WriteTx, value: &Body<'_>) -> Result<TokenInfo, Error> {
        let existing = self.shelf.find_any(tx, self.name)?;
        self.check_preconditions(existing.as_ref())?;
        let (mut row, before) = match existing {
            Some(found) => (found.row.clone(), Some(found)),
            None => (self.insert_token(tx)?, None),
        };
        let live = before.as_ref().filter(|found| !found.version.is_expired(&self.shelf.now));
        let meta = self.token_meta(live);
        row.newest += 1;
        row.current = row.newest;
        let mut version = self.version_meta(live, value.size())?;
        let class = self.class(live)?;
        if let Some(found) = &before
            && found.meta.require_purpose != meta.require_purpose
        {
            self.shelf.rewrap(tx, (&found.row, &found.meta), (&row, &meta), self.vault.memory())?;
        }
        let (head, held) = self.insert_version(tx, (&row, &meta), (&mut version, class), value)?;
        self.shelf.records().seal_token(&mut row, &meta)?;
        tx.update_token(&row)?;
        if before.as_ref().is_none_or(|found| found.meta.attributes != meta.attributes) {
            self.shelf.index_attributes(tx, row.id, &meta.attributes)?;
        }
        // What an expired token held before does not come back with its name.
        let keep = if live.is_some() { meta.keep_versions } else { 1 };
        let (unshared, withdrawn) = match live {
            Some(_) => (0, Change::default()),
            None => (drop_shares(tx, row.id)?, drop_offers(tx, row.id)?),
        };
        let dropped = drop_old_versions(tx, &row, keep)? + unshared + withdrawn.freed;
        let change = Change {
            tokens: i64::from(before.is_none()),
            issued: withdrawn.issued,
            added: usage::of_token(&row, &meta) + usage::of_version(&head),
            freed: dropped + held + before.map_or(0, |found| usage::of_token(&found.row, &found.meta)),
        };
        change.count_within_quota(tx, self.vault, self.shelf.principal)?;
        Found { row, meta, head, version }.told(tx, &self.shelf)
    }

    fn check_preconditions(&self, existing: Option<&Found>) -> Result<(), Error> {
        let live = existing.filter(|found| !found.version.is_expired(&self.shelf.now));
        let current = live.map_or(0, |found| found.row.current);
        if let Some(expected) = self.options.expect_version
            && expected != current
        {
            return Err(Error::Conflict { current, expected });
        }
        match self.options.mode {
            PutMode::Create if live.is_some() => Err(Error::Exists),
            PutMode::Replace if live.is_none() => Err(Error::NotFound),
            _ => Ok(()),
        }
    }

    fn insert_token(&self, tx: &mut dyn WriteTx) -> Result<TokenRow, Error> {
        let principal = self.shelf.principal;
        let name_tag = tag::name_tag(&principal.index_key, self.name);
        let id = tx.insert_token(&NewToken { principal: principal.id, name_tag: &name_tag })?;
        Ok(TokenRow { id, principal: principal.id, name_tag, current: 0, newest: 0, meta: Vec::new() })
    }

    /// What is not given stays as it is on a live token; an expired one counts as gone.
    fn token_meta(&self, live: Option<&Found>) -> TokenMeta {
        let (now, options) = (self.shelf.now.time, self.options);
        let before = live.map(|found| &found.meta);
        TokenMeta {
            name: self.name.as_str().to_owned(),
            attributes: match &options.attributes {
                Some(attributes) => attributes.as_map().clone(),
                None => before.map(|meta| meta.attributes.clone()).unwrap_or_default(),
            },
            created: before.map_or(now, |meta| meta.created),
            updated: now,
            keep_versions: options
                .keep_versions
                .or(before.map(|meta| meta.keep_versions))
                .unwrap_or(KEEP_VERSIONS_DEFAULT),
            require_purpose: options.require_purpose.or(before.map(|meta| meta.require_purpose)).unwrap_or(false),
            shared: before.is_some_and(|meta| meta.shared),
        }
    }

    /// A login-class token does not become one that opens without its owner because an option was left out.
    fn class(&self, live: Option<&Found>) -> Result<Class, Error> {
        match (self.options.class, live) {
            (Some(class), _) => Ok(class),
            (None, Some(found)) => found.class(),
            (None, None) => Ok(Class::Machine),
        }
    }

    fn version_meta(&self, live: Option<&Found>, size: u64) -> Result<VersionMeta, Error> {
        let content_type = match &self.options.content_type {
            Some(content_type) => content_type.as_str().to_owned(),
            None => live.map(|found| found.version.content_type.clone()).unwrap_or_default(),
        };
        let end = self.options.expiry.resolve(&self.shelf.now)?;
        Ok(VersionMeta {
            size,
            created: self.shelf.now.time,
            expires: end.map(|end| end.at),
            content_type,
            deadline: end.and_then(|end| end.deadline),
            dek_term: None,
        })
    }

    /// The version as it is stored, and the bytes that were counted for it before.
    fn insert_version(
        &self,
        tx: &mut dyn WriteTx,
        (row, meta): (&TokenRow, &TokenMeta),
        (version, class): (&mut VersionMeta, Class),
        value: &Body<'_>,
    ) -> Result<(VersionHead, u64), Error> {
        let records = self.shelf.records();
        let mut head = VersionHead {
            token: row.id,
            version: row.current,
            class: class.as_u8(),
            expires_day: None,
            stored_bytes: 0,
            meta: Vec::new(),
            dek: Vec::new(),
            content: None,
        };
        let placed = value.place(tx, &records, &mut head, self.vault.memory())?;
        version.dek_term = placed.dek_term;
        records.seal_version(&mut head, version)?;
        records.seal_dek((row, meta), (&mut head, version), placed.dek.secret())?;
        let row = VersionRow { head, value: placed.value };
        tx.insert_version(&row)?;
        Ok((row.head, placed.held))
    }
}

/// Removes the oldest versions beyond `keep`; the bytes that became free.
pub(super) fn drop_old_versions(tx: &mut dyn WriteTx, row: &TokenRow, keep: u32) -> Result<u64, Error> {
    let versions = ReadTx::versions(tx, row.id)?;
    let surplus = versions.len().saturating_sub(keep as usize);
    let mut freed = 0;
    for head in versions.iter().filter(|head| head.version != row.current).take(surplus) {
        if let Some(head) = tx.delete_version(row.id, head.version)? {
            freed += usage::of_version(&head);
        }
    }
    Ok(freed)
}
