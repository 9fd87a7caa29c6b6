//! The port's transactions over one SQLite connection.
//!
//! The statements are in [`read`], [`list`], [`ending`], [`share`], [`issued`], [`content`], [`mod@write`] and [`write_token`];
//! here is only what they share: an error that concerns the file ends the transaction for good, whatever the work makes of it.

mod content;
mod ending;
mod issued;
mod list;
mod read;
mod share;
mod write;
mod write_token;

use std::cell::RefCell;
use std::sync::Arc;

use rusqlite::Connection;
use tokenvault_core::port::{
    AttributeTag, AuditRow, Ending, IssuedRow, KeyringRow, MetaKey, NewShare, NewToken, PrincipalRow, ReadTx, RowSink,
    RowWatch, ShareRow, SlotRow, StoreError, Tag, TokenRow, Totals, VersionHead, VersionRow, WriteTx,
};

use crate::dump;
use crate::fault::{Fault, breaks_batch, duplicate};
use crate::tally::{self, Tally};
use crate::verify;

pub(crate) use content::{has_open_contents, left_over};
pub(crate) use read::meta_name;

/// A transaction that somebody else began and will end.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    /// Of the writer alone.
    tally: Option<&'c Tally>,
    broken: RefCell<Option<StoreError>>,
}

impl<'c> Tx<'c> {
    /// One that reads.
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, tally: None, broken: RefCell::new(None) }
    }

    /// One that writes.
    pub(crate) fn writing(connection: &'c Connection, tally: &'c Tally) -> Self {
        Self { tally: Some(tally), ..Self::new(connection) }
    }

    /// What broke the transaction, if anything did.
    pub(crate) fn into_broken(self) -> Option<StoreError> {
        self.broken.into_inner()
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        if let Some(error) = &*self.broken.borrow() {
            return Err(duplicate(error));
        }
        work(self.connection).map_err(|Fault(error)| {
            // SQLite rolls back by itself on some errors. Another statement would then commit on its own.
            if breaks_batch(&error) || self.connection.is_autocommit() {
                *self.broken.borrow_mut() = Some(duplicate(&error));
            }
            error
        })
    }
}

impl ReadTx for Tx<'_> {
    fn is_writing(&self) -> bool {
        self.tally.is_some()
    }

    fn meta(&self, key: MetaKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(|c| read::meta(c, key))
    }

    fn slots(&self) -> Result<Vec<SlotRow>, StoreError> {
        self.run(read::slots)
    }

    fn keyring(&self) -> Result<Vec<KeyringRow>, StoreError> {
        self.run(read::keyring)
    }

    fn principal(&self, uid_tag: &Tag) -> Result<Option<PrincipalRow>, StoreError> {
        self.run(|c| read::principal(c, uid_tag))
    }

    fn principal_or_other(&self, uid_tag: &Tag) -> Result<Option<PrincipalRow>, StoreError> {
        self.run(|c| read::principal_or_other(c, uid_tag))
    }

    fn principal_by_id(&self, id: i64) -> Result<Option<PrincipalRow>, StoreError> {
        self.run(|c| read::principal_by_id(c, id))
    }

    fn principals(&self, after: i64, limit: usize) -> Result<Vec<PrincipalRow>, StoreError> {
        self.run(|c| read::principals(c, after, limit))
    }

    fn login(&self, principal: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(|c| read::login(c, principal))
    }

    fn token(&self, principal: i64, name_tag: &Tag) -> Result<Option<TokenRow>, StoreError> {
        self.run(|c| read::token(c, principal, name_tag))
    }

    fn token_id_or_other(&self, name_tag: &Tag) -> Result<Option<(i64, Tag)>, StoreError> {
        self.run(|c| read::token_id_or_other(c, name_tag))
    }

    fn token_with_value(
        &self,
        principal: i64,
        name_tag: &Tag,
        version: Option<u64>,
    ) -> Result<Option<(TokenRow, VersionRow)>, StoreError> {
        self.run(|c| read::token_with_value(c, principal, name_tag, version))
    }

    fn token_by_id(&self, id: i64) -> Result<Option<TokenRow>, StoreError> {
        self.run(|c| read::token_by_id(c, id))
    }

    fn ended_versions(&self, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, StoreError> {
        self.run(|c| ending::versions(c, day, after, limit))
    }

    fn ended_shares(&self, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, StoreError> {
        self.run(|c| ending::shares(c, day, after, limit))
    }

    fn version_head(&self, token: i64, version: u64) -> Result<Option<VersionHead>, StoreError> {
        self.run(|c| read::version_head(c, token, version))
    }

    fn version(&self, token: i64, version: u64) -> Result<Option<VersionRow>, StoreError> {
        self.run(|c| read::version(c, token, version))
    }

    fn versions(&self, token: i64) -> Result<Vec<VersionHead>, StoreError> {
        self.run(|c| read::versions(c, token))
    }

    fn share(&self, token: i64, grantee_tag: &Tag) -> Result<Option<ShareRow>, StoreError> {
        self.run(|c| share::share(c, token, grantee_tag))
    }

    fn shares_with(&self, grantee_tag: &Tag, after: i64, limit: usize) -> Result<Vec<ShareRow>, StoreError> {
        self.run(|c| share::shares_with(c, grantee_tag, after, limit))
    }

    fn shares(&self, token: i64) -> Result<Vec<ShareRow>, StoreError> {
        self.run(|c| share::shares(c, token))
    }

    fn tokens(
        &self,
        principal: i64,
        tags: &[AttributeTag],
        after: i64,
        limit: usize,
    ) -> Result<Vec<(TokenRow, VersionHead)>, StoreError> {
        self.run(|c| list::tokens(c, principal, tags, list::Page { after, limit }))
    }

    fn ended_issued(&self, day: i64, after: (i64, i64), limit: usize) -> Result<Vec<IssuedRow>, StoreError> {
        self.run(|c| issued::ended(c, day, after, limit))
    }

    fn issued(&self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError> {
        self.run(|c| issued::issued(c, tag))
    }

    fn issued_or_other(&self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError> {
        self.run(|c| issued::issued_or_other(c, tag))
    }

    fn issued_by(&self, principal: i64, after: (i64, i64), limit: usize) -> Result<Vec<IssuedRow>, StoreError> {
        self.run(|c| issued::issued_by(c, principal, after, limit))
    }

    fn offers(&self, token: i64) -> Result<Vec<IssuedRow>, StoreError> {
        self.run(|c| issued::offers(c, token))
    }

    fn has_content(&self, content: i64) -> Result<bool, StoreError> {
        self.run(|c| content::has_content(c, content))
    }

    fn chunk(&self, content: i64, number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(|c| content::chunk(c, content, number))
    }

    fn audit_head(&self) -> Result<Option<AuditRow>, StoreError> {
        self.run(read::audit_head)
    }

    fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.run(|c| read::audit(c, after, limit))
    }

    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.run(|c| read::audit_before(c, before, limit))
    }

    fn audit_bytes(&self, after: u64, limit: usize) -> Result<Option<(u64, u64)>, StoreError> {
        self.run(|c| read::audit_bytes(c, after, limit))
    }

    fn sum_rows(&self, watch: &dyn RowWatch, goes_on: &mut dyn FnMut(u64) -> bool) -> Result<Option<Tag>, StoreError> {
        self.run(|c| tally::of_all_rows(c, watch, goes_on))
    }

    fn check_indexes(&self) -> Result<(), StoreError> {
        self.run(verify::indexes)
    }

    fn dump(&self, sink: &mut dyn RowSink) -> Result<bool, StoreError> {
        self.run(|c| dump::all_rows(c, sink))
    }

    fn totals(&self) -> Result<Totals, StoreError> {
        self.run(read::totals)
    }

    fn count_versions_of(&self, token: i64) -> Result<u64, StoreError> {
        self.run(|c| read::count_versions_of(c, token))
    }

    fn count_versions(&self) -> Result<u64, StoreError> {
        self.run(read::count_versions)
    }
}

impl WriteTx for Tx<'_> {
    fn watch_rows(&mut self, watch: Arc<dyn RowWatch>, sum: Tag) -> Result<(), StoreError> {
        let Some(tally) = self.tally else { return Err(StoreError::Internal("a reader accounts for no rows".into())) };
        tally.watch(watch, sum);
        Ok(())
    }

    fn keep_rows(&mut self) -> Result<(), StoreError> {
        self.tally.and_then(Tally::watched).map_or(Ok(()), |(watch, sum)| watch.keep(self, &sum))
    }

    fn set_meta(&mut self, key: MetaKey, value: &[u8]) -> Result<(), StoreError> {
        self.run(|c| write::set_meta(c, key, value))
    }

    fn insert_slot(&mut self, row: &SlotRow) -> Result<u32, StoreError> {
        self.run(|c| write::insert_slot(c, row))
    }

    fn update_slot(&mut self, row: &SlotRow) -> Result<(), StoreError> {
        self.run(|c| write::update_slot(c, row))
    }

    fn delete_slot(&mut self, id: u32) -> Result<bool, StoreError> {
        self.run(|c| write::delete_slot(c, id))
    }

    fn put_keyring(&mut self, row: &KeyringRow) -> Result<(), StoreError> {
        self.run(|c| write::put_keyring(c, row))
    }

    fn delete_keyring(&mut self, purpose: &str, term: u32) -> Result<(), StoreError> {
        self.run(|c| write::delete_keyring(c, purpose, term))
    }

    fn insert_principal(&mut self, row: &PrincipalRow) -> Result<i64, StoreError> {
        self.run(|c| write::insert_principal(c, row))
    }

    fn update_principal(&mut self, row: &PrincipalRow) -> Result<(), StoreError> {
        self.run(|c| write::update_principal(c, row))
    }

    fn delete_principal(&mut self, id: i64) -> Result<(), StoreError> {
        self.run(|c| write::delete_principal(c, id))
    }

    fn set_login(&mut self, principal: i64, record: &[u8]) -> Result<(), StoreError> {
        self.run(|c| write::set_login(c, principal, record))
    }

    fn add_usage(&mut self, principal: i64, tokens: i64, bytes: i64) -> Result<(), StoreError> {
        self.run(|c| write::add_usage(c, principal, tokens, bytes))
    }

    fn insert_token(&mut self, token: &NewToken<'_>) -> Result<i64, StoreError> {
        self.run(|c| write_token::insert_token(c, token))
    }

    fn update_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        self.run(|c| write_token::update_token(c, row))
    }

    fn delete_token(&mut self, id: i64) -> Result<(), StoreError> {
        self.run(|c| write_token::delete_token(c, id))
    }

    fn set_attributes(&mut self, token: i64, tags: &[AttributeTag]) -> Result<(), StoreError> {
        self.run(|c| write_token::set_attributes(c, token, tags))
    }

    fn insert_version(&mut self, row: &VersionRow) -> Result<(), StoreError> {
        self.run(|c| write_token::insert_version(c, row))
    }

    fn update_version(&mut self, head: &VersionHead) -> Result<(), StoreError> {
        self.run(|c| write_token::update_version(c, head))
    }

    fn delete_version(&mut self, token: i64, version: u64) -> Result<Option<VersionHead>, StoreError> {
        self.run(|c| write_token::delete_version(c, token, version))
    }

    fn insert_share(&mut self, share: &NewShare<'_>) -> Result<i64, StoreError> {
        self.run(|c| share::insert_share(c, share))
    }

    fn update_share(&mut self, row: &ShareRow) -> Result<(), StoreError> {
        self.run(|c| share::update_share(c, row))
    }

    fn delete_share(&mut self, id: i64) -> Result<(), StoreError> {
        self.run(|c| share::delete_share(c, id))
    }

    fn insert_issued(&mut self, row: &IssuedRow) -> Result<(), StoreError> {
        self.run(|c| issued::insert_issued(c, row))
    }

    fn update_issued(&mut self, row: &IssuedRow) -> Result<(), StoreError> {
        self.run(|c| issued::update_issued(c, row))
    }

    fn delete_issued(&mut self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError> {
        self.run(|c| issued::delete_issued(c, tag))
    }

    fn add_issued(&mut self, principal: i64, issued: i64) -> Result<(), StoreError> {
        self.run(|c| issued::add_issued(c, principal, issued))
    }

    fn begin_content(&mut self, principal: i64) -> Result<i64, StoreError> {
        self.run(|c| content::begin_content(c, principal))
    }

    fn insert_chunk(&mut self, content: i64, number: u32, body: &[u8]) -> Result<(), StoreError> {
        self.run(|c| content::insert_chunk(c, content, number, body))
    }

    fn hold_for_content(&mut self, content: i64, bytes: u64) -> Result<(), StoreError> {
        self.run(|c| content::hold_for_content(c, content, bytes))
    }

    fn use_content(&mut self, content: i64) -> Result<Option<(i64, u64)>, StoreError> {
        self.run(|c| content::use_content(c, content))
    }

    fn abandon_content(&mut self, content: i64) -> Result<Option<(i64, u64)>, StoreError> {
        self.run(|c| content::abandon_content(c, content))
    }

    fn abandon_all_contents(&mut self) -> Result<(), StoreError> {
        self.run(content::abandon_all_contents)
    }

    fn sweep_contents(&mut self, chunks: usize) -> Result<(), StoreError> {
        self.run(|c| content::sweep_contents(c, chunks))
    }

    fn append_audit(&mut self, row: &AuditRow) -> Result<(), StoreError> {
        self.tally.into_iter().for_each(Tally::note_link);
        self.run(|c| write::append_audit(c, row))
    }

    fn prune_audit(&mut self, up_to: u64) -> Result<u64, StoreError> {
        self.run(|c| write::prune_audit(c, up_to))
    }
}
