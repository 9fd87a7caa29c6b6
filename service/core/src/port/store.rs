//! Where rows are kept.
//!
//! The store sees ciphertexts, keyed tags, counters and coarse dates: never a plaintext, a name or a caller. Reads run on
//! a snapshot and never wait for a writer. Writes are jobs: the store's single writer runs each in a savepoint of its own,
//! commits the batch durably, and only then tells each job how it ended.

use std::sync::Arc;

use super::{
    AttributeTag, AuditRow, Ending, IssuedRow, KeyringRow, MetaKey, NewShare, NewToken, PrincipalRow, Replacement,
    RowSink, RowWatch, ShareRow, SlotRow, Tag, TokenRow, Totals, VersionHead, VersionRow,
};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system is full. Reads and deletes go on.
    #[error("no space left for the store")]
    Full,
    /// The store has the size it was given, whatever room the disk has. Reads and deletes go on.
    #[error("the store has reached the size set for it")]
    Limit,
    /// The file or its file system is read-only.
    #[error("the store is read-only")]
    ReadOnly,
    /// Damage, or a file that is not ours: the vault is quarantined.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The store was written by a newer release.
    #[error("the store has schema {found}, this release knows up to {known}")]
    Newer {
        /// Schema number of the file.
        found: u32,
        /// Newest schema this release can read.
        known: u32,
    },
    /// Another process holds the store.
    #[error("another tokenvaultd holds the store")]
    Held,
    /// The writer's queue is full; nothing was queued.
    #[error("too many writes are waiting")]
    Busy,
    /// The writer has ended: the daemon is stopping.
    #[error("the store is closed")]
    Closed,
    /// An I/O error, with the system's words. The batch was not acknowledged.
    #[error("store I/O: {0}")]
    Io(String),
    /// A fault of the store itself.
    #[error("store: {0}")]
    Internal(String),
}

/// What the store knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether writes are refused, and why. Damage is not told here.
    pub read_only: Option<String>,
    /// What damage was met, here or while reading. Reads and writes answer [`StoreError::Corrupt`] from then on.
    pub damaged: Option<String>,
    /// Bytes on disk: database and log.
    pub disk_bytes: u64,
    /// How often the disk was full and the log could not be emptied, because somebody was reading.
    pub cramped: u64,
}

/// Largest batches that are counted together, in writes of one commit; the store has no larger ones than the last.
pub const BATCH_BOUNDS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// What a store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounters {
    /// Durable commits.
    pub commits: u64,
    /// Jobs whose writes those commits made durable.
    pub writes: u64,
    /// Times the log was emptied so that deleted rows are gone from it.
    pub erasures: u64,
    /// Commits by how many writes they made durable: up to each of [`BATCH_BOUNDS`], and more.
    pub batches: [u64; BATCH_BOUNDS.len() + 1],
}

/// Reads on one consistent snapshot.
pub trait ReadTx {
    /// Whether it sees what a write has not committed yet, which may still be undone.
    fn is_writing(&self) -> bool;
    /// A single value. # Errors See [`StoreError`].
    fn meta(&self, key: MetaKey) -> Result<Option<Vec<u8>>, StoreError>;
    /// All slots by number.
    fn slots(&self) -> Result<Vec<SlotRow>, StoreError>;
    /// All keys of the keyring.
    fn keyring(&self) -> Result<Vec<KeyringRow>, StoreError>;
    /// The principal of a uid.
    fn principal(&self, uid_tag: &Tag) -> Result<Option<PrincipalRow>, StoreError>;
    /// The principal of a uid, or else another one, if there is any: what looks for one that is not there then has as much to do.
    fn principal_or_other(&self, uid_tag: &Tag) -> Result<Option<PrincipalRow>, StoreError>;
    /// A principal by row number.
    fn principal_by_id(&self, id: i64) -> Result<Option<PrincipalRow>, StoreError>;
    /// Principals with row number above `after`, ascending; at most `limit`.
    fn principals(&self, after: i64, limit: usize) -> Result<Vec<PrincipalRow>, StoreError>;
    /// What is kept of the login of a principal, encrypted.
    fn login(&self, principal: i64) -> Result<Option<Vec<u8>>, StoreError>;
    /// A token by the tag of its name.
    fn token(&self, principal: i64, name_tag: &Tag) -> Result<Option<TokenRow>, StoreError>;
    /// The row number of the token whose name has a tag, or else of another, if there is any, with its tag: what looks for one
    /// that is not there then has as much to do. Nothing else of a token is read.
    fn token_id_or_other(&self, name_tag: &Tag) -> Result<Option<(i64, Tag)>, StoreError>;
    /// A token and the whole of one version (`None`: the current one) in one step: the read path.
    fn token_with_value(
        &self,
        principal: i64,
        name_tag: &Tag,
        version: Option<u64>,
    ) -> Result<Option<(TokenRow, VersionRow)>, StoreError>;
    /// A token by row number.
    fn token_by_id(&self, id: i64) -> Result<Option<TokenRow>, StoreError>;
    /// Versions that have ended by `day`, by day and row number, those that come behind `after`; at most `limit`.
    fn ended_versions(&self, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, StoreError>;
    /// The same of shares.
    fn ended_shares(&self, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, StoreError>;
    /// One version without its value.
    fn version_head(&self, token: i64, version: u64) -> Result<Option<VersionHead>, StoreError>;
    /// One version with its value.
    fn version(&self, token: i64, version: u64) -> Result<Option<VersionRow>, StoreError>;
    /// All versions of a token without values, oldest first.
    fn versions(&self, token: i64) -> Result<Vec<VersionHead>, StoreError>;
    /// The share of a token with one grantee.
    fn share(&self, token: i64, grantee_tag: &Tag) -> Result<Option<ShareRow>, StoreError>;
    /// The shares of a grantee with number above `after`, ascending; at most `limit`.
    fn shares_with(&self, grantee_tag: &Tag, after: i64, limit: usize) -> Result<Vec<ShareRow>, StoreError>;
    /// All shares of a token, by number.
    fn shares(&self, token: i64) -> Result<Vec<ShareRow>, StoreError>;
    /// Tokens of a principal with row number above `after`, ascending, with the head of the current version; at most `limit`.
    /// With `tags`, only tokens that carry all of them.
    fn tokens(
        &self,
        principal: i64,
        tags: &[AttributeTag],
        after: i64,
        limit: usize,
    ) -> Result<Vec<(TokenRow, VersionHead)>, StoreError>;
    /// What was issued and has expired by `day`, by day and number, beginning behind `after`, a day and a number; at most
    /// `limit`.
    fn ended_issued(&self, day: i64, after: (i64, i64), limit: usize) -> Result<Vec<IssuedRow>, StoreError>;
    /// What was issued under a tag.
    fn issued(&self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError>;
    /// The same, or else another row, if there is any: what looks for a tag that is not there then has as much to do.
    fn issued_or_other(&self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError>;
    /// What a principal issued, by the days it expires and by number, beginning behind `after`, a day and a number; at most
    /// `limit`.
    fn issued_by(&self, principal: i64, after: (i64, i64), limit: usize) -> Result<Vec<IssuedRow>, StoreError>;
    /// The offers of a token.
    fn offers(&self, token: i64) -> Result<Vec<IssuedRow>, StoreError>;
    /// Whether a version has this content.
    fn has_content(&self, content: i64) -> Result<bool, StoreError>;
    /// A chunk of a content, encrypted; they are counted from 0.
    fn chunk(&self, content: i64, number: u32) -> Result<Option<Vec<u8>>, StoreError>;
    /// The newest audit link.
    fn audit_head(&self) -> Result<Option<AuditRow>, StoreError>;
    /// Audit links with `seq > after`, ascending; at most `limit`.
    fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError>;
    /// Audit links with `seq < before`, descending; at most `limit`.
    fn audit_before(&self, before: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError>;
    /// What the audit links with `seq > after` take, in order and at most `limit` of them: the last one's number, and bytes.
    /// `None` when there are none.
    fn audit_bytes(&self, after: u64, limit: usize) -> Result<Option<(u64, u64)>, StoreError>;
    /// Holds every index against its table: reads the whole store. `Corrupt` names what differs.
    fn check_indexes(&self) -> Result<(), StoreError>;
    /// The sum of the tags of all rows that `watch` accounts for, as they are: reads the whole store. `None` when `goes_on`, which is
    /// told how many rows were read, wants no more. `Closed` when the key of `watch` is gone.
    fn sum_rows(&self, watch: &dyn RowWatch, goes_on: &mut dyn FnMut(u64) -> bool) -> Result<Option<Tag>, StoreError>;
    /// Gives all rows to `sink`, table by table, each in the order of its key, and with them the numbers that were given last; false
    /// when it wants no more.
    fn dump(&self, sink: &mut dyn RowSink) -> Result<bool, StoreError>;
    /// What all principals have.
    fn totals(&self) -> Result<Totals, StoreError>;
    /// Versions of one token.
    fn count_versions_of(&self, token: i64) -> Result<u64, StoreError>;
    /// Versions of all tokens: takes the longer the more there are.
    fn count_versions(&self) -> Result<u64, StoreError>;
}

/// Reads and writes inside the savepoint of one job. Sees its own writes.
pub trait WriteTx: ReadTx {
    /// Has `watch` account for the rows, whose sum is `sum`, from here on, and write their sum down with every commit. Rows of which a
    /// sum is written down are not changed without, nor is anything appended to the audit log: `Internal`.
    fn watch_rows(&mut self, watch: Arc<dyn RowWatch>, sum: Tag) -> Result<(), StoreError>;
    /// Has the sum of what this transaction has changed so far written down by who accounts for the rows, if anybody does.
    fn keep_rows(&mut self) -> Result<(), StoreError>;
    /// Sets a single value.
    fn set_meta(&mut self, key: MetaKey, value: &[u8]) -> Result<(), StoreError>;
    /// Adds a slot; `row.id` is ignored and the new number returned.
    fn insert_slot(&mut self, row: &SlotRow) -> Result<u32, StoreError>;
    /// Replaces a slot's body and wrappers.
    fn update_slot(&mut self, row: &SlotRow) -> Result<(), StoreError>;
    /// Removes a slot; whether there was one.
    fn delete_slot(&mut self, id: u32) -> Result<bool, StoreError>;
    /// Adds or replaces a key of the keyring.
    fn put_keyring(&mut self, row: &KeyringRow) -> Result<(), StoreError>;
    /// Removes a term of a key of the keyring.
    fn delete_keyring(&mut self, purpose: &str, term: u32) -> Result<(), StoreError>;
    /// Adds a principal; `row.id` is ignored and the new number returned.
    fn insert_principal(&mut self, row: &PrincipalRow) -> Result<i64, StoreError>;
    /// Replaces a principal's tag, record, key and counters. `Internal` when another row has the tag.
    fn update_principal(&mut self, row: &PrincipalRow) -> Result<(), StoreError>;
    /// Removes a principal that has no tokens, with what is kept of its login.
    fn delete_principal(&mut self, id: i64) -> Result<(), StoreError>;
    /// Adds or replaces what is kept of the login of a principal.
    fn set_login(&mut self, principal: i64, record: &[u8]) -> Result<(), StoreError>;
    /// Adds to the counters of a principal (negative: takes away). Bytes end at zero.
    fn add_usage(&mut self, principal: i64, tokens: i64, bytes: i64) -> Result<(), StoreError>;
    /// Adds a token without versions; returns its row number. Its metadata is set with [`WriteTx::update_token`] before the
    /// job ends, because the metadata is bound to that number.
    fn insert_token(&mut self, token: &NewToken<'_>) -> Result<i64, StoreError>;
    /// Replaces tag, current and newest version and metadata of a token. `Internal` when another row has the tag.
    fn update_token(&mut self, row: &TokenRow) -> Result<(), StoreError>;
    /// Adds a share; returns its row number. Its record is set with [`WriteTx::update_share`] before the job ends, because the
    /// record is bound to that number.
    fn insert_share(&mut self, share: &NewShare<'_>) -> Result<i64, StoreError>;
    /// Replaces date and record of a share.
    fn update_share(&mut self, row: &ShareRow) -> Result<(), StoreError>;
    /// Removes a share.
    fn delete_share(&mut self, id: i64) -> Result<(), StoreError>;
    /// Adds what was issued; `row.id` is ignored. `Internal` when another row has the tag.
    fn insert_issued(&mut self, row: &IssuedRow) -> Result<(), StoreError>;
    /// Replaces the record of what was issued.
    fn update_issued(&mut self, row: &IssuedRow) -> Result<(), StoreError>;
    /// Removes what was issued under a tag; the row, if there was one.
    fn delete_issued(&mut self, tag: &Tag) -> Result<Option<IssuedRow>, StoreError>;
    /// Adds to the number a principal has issued (negative: takes away).
    fn add_issued(&mut self, principal: i64, issued: i64) -> Result<(), StoreError>;
    /// Removes a token with its versions, shares and attribute tags. It has no offers any more.
    fn delete_token(&mut self, id: i64) -> Result<(), StoreError>;
    /// Replaces the attribute tags of a token.
    fn set_attributes(&mut self, token: i64, tags: &[AttributeTag]) -> Result<(), StoreError>;
    /// Adds a version.
    fn insert_version(&mut self, row: &VersionRow) -> Result<(), StoreError>;
    /// Replaces everything of a version but its value and number.
    fn update_version(&mut self, head: &VersionHead) -> Result<(), StoreError>;
    /// Removes one version; its head, if there was one. A content that no version has any more is removed some time later.
    fn delete_version(&mut self, token: i64, version: u64) -> Result<Option<VersionHead>, StoreError>;
    /// Begins a content, of a value that comes in for a principal; its number, which never comes again. No version has it yet. It
    /// ends with [`WriteTx::use_content`], with [`WriteTx::abandon_content`], or when the store is opened the next time.
    fn begin_content(&mut self, principal: i64) -> Result<i64, StoreError>;
    /// Adds a chunk to a content that was begun and has not ended.
    fn insert_chunk(&mut self, content: i64, number: u32, body: &[u8]) -> Result<(), StoreError>;
    /// Notes that so many more bytes are counted for the principal of such a content.
    fn hold_for_content(&mut self, content: i64, bytes: u64) -> Result<(), StoreError>;
    /// One more version has a content, which ends its beginning; its principal and the bytes that were held for it. `None`: there
    /// is none any more.
    fn use_content(&mut self, content: i64) -> Result<Option<(i64, u64)>, StoreError>;
    /// Ends a content without a version, if it was begun and has not ended; its principal and the bytes that were held for it.
    fn abandon_content(&mut self, content: i64) -> Result<Option<(i64, u64)>, StoreError>;
    /// The same with all of them, and the counters of their principals. The store does this by itself when it is opened.
    fn abandon_all_contents(&mut self) -> Result<(), StoreError>;
    /// Removes up to `chunks` chunks of a content that no version has and nobody writes, or such a content without chunks. The store
    /// does this by itself.
    fn sweep_contents(&mut self, chunks: usize) -> Result<(), StoreError>;
    /// Appends to the audit chain; `seq` must follow the head.
    fn append_audit(&mut self, row: &AuditRow) -> Result<(), StoreError>;
    /// Removes audit links with `seq <= up_to`; how many.
    fn prune_audit(&mut self, up_to: u64) -> Result<u64, StoreError>;
}

/// A job changed its mind: its savepoint is rolled back, the batch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobFailure;

/// One write, all or nothing.
pub trait WriteJob: Send {
    /// Does the work inside a savepoint. May be called again, whatever it returned, when the batch failed: it must not keep
    /// state between calls that would make a second run differ.
    ///
    /// # Errors
    /// [`JobFailure`] undoes everything the job wrote. The job remembers the reason itself.
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure>;

    /// Called once, after the batch was committed durably (`Ok`) or could not be (`Err`). A job that answered
    /// [`JobFailure`] gets `Ok` as well: that it was undone is certain by then.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);

    /// Whether this job frees space or revokes something, and so is let through on a full disk and in a full store.
    fn frees(&self) -> bool {
        false
    }

    /// Bytes it writes, where they are so many that a commit should end soon.
    fn bytes(&self) -> usize {
        0
    }

    /// Whether plaintext-bearing pages must be gone from the log soon afterwards (a delete).
    fn erases(&self) -> bool {
        false
    }

    /// Whether it is the last of its commit: what runs after it goes by what it has changed, and [`WriteJob::finish`] comes first.
    fn is_last(&self) -> bool {
        false
    }
}

/// The store.
pub trait Store: Send + Sync {
    /// Runs `work` on a snapshot. Never waits for a writer.
    ///
    /// # Errors
    /// What `work` returned, or why no snapshot could be had.
    fn read(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// The same on a connection of its own, so that nobody waits for a free one meanwhile: for work that takes long. Rows that are
    /// deleted stay in the log until it ends.
    ///
    /// # Errors
    /// As [`Store::read`].
    fn read_aside(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError>;

    /// Queues a write; the job is told how it ended through [`WriteJob::finish`], also when it could not be queued.
    fn submit(&self, job: Box<dyn WriteJob>);

    /// What the store knows of itself.
    fn status(&self) -> StoreStatus;

    /// What the store has done since it was opened.
    fn counters(&self) -> StoreCounters;

    /// Schema of its rows.
    fn schema(&self) -> u32;

    /// Begins to put another store together beside this one, of a schema this release knows.
    ///
    /// # Errors
    /// `Newer` for one it does not know; what the disk answers.
    fn begin_replacement(&self, schema: u32) -> Result<Box<dyn Replacement>, StoreError>;
}
