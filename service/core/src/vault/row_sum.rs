//! The sum over the rows, written down with every commit: what somebody else than the vault removes, adds or puts back is found.
//!
//! A row's tag is an HMAC of its columns, and the sum is all tags, modulo 2^256. Who can read a sum can forge it, so it is written
//! down encrypted, and tags are never written. Beside it stands the newest link of the audit chain, so that an end that was cut off is
//! found as well. That there is a sum is in the MAC over the slot table: without it the vault does not open.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use super::slots::{daemon, store_table_mac};
use super::{Effect, Event, OpenVault, Vault};
use crate::audit::Mark;
use crate::crypto::{Aad, mac, wrap};
use crate::error::Error;
use crate::port::{MetaKey, Progress, ReadTx, RowWatch, StoreError, Tag, WriteTx};

const PURPOSE: &str = "row-sum";

/// Rows that most tokens have: the token, its version, its value.
const ROWS_PER_TOKEN: u64 = 3;

/// A store in which nothing is missing, added or older than it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsWhole {
    /// How many rows it has; a value counts as one of its own.
    pub rows: u64,
}

/// What is written down.
struct Kept {
    sum: Tag,
    /// The newest audit record then; its number is 0 in an empty log.
    audit: Mark,
    /// Tag of the anchor as it stood there then; unknown where an earlier release has written this.
    anchor: Option<Tag>,
}

/// Which rows and columns are in the sum, and how. A migration that changes any of these has another one, and the sum made anew.
const VERSION: u8 = 2;
/// The same without a word about the anchor.
const VERSION_WITHOUT_ANCHOR: u8 = 1;

impl Kept {
    fn encode(&self) -> Vec<u8> {
        let (version, anchor) = match &self.anchor {
            Some(tag) => (VERSION, &tag[..]),
            None => (VERSION_WITHOUT_ANCHOR, &[][..]),
        };
        [&[version][..], &self.sum, &self.audit.seq.to_be_bytes(), &self.audit.chain, anchor].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (chain, rest) = rest.split_first_chunk()?;
        let anchor = match *version {
            VERSION => Some(rest.try_into().ok()?),
            VERSION_WITHOUT_ANCHOR if rest.is_empty() => None,
            _ => return None,
        };
        Some(Self { sum: *sum, audit: Mark { seq: u64::from_be_bytes(*seq), chain: *chain }, anchor })
    }

    /// `None`: none was written down yet.
    fn read(open: &OpenVault, tx: &dyn ReadTx) -> Result<Option<Self>, StoreError> {
        let Some(sealed) = tx.meta(MetaKey::RowSum)? else { return Ok(None) };
        let bytes = wrap::open_record(&open.row_sum_key, PURPOSE, aad(open).as_bytes(), &sealed);
        let kept = bytes.ok().and_then(|bytes| Self::decode(&bytes));
        kept.map(Some).ok_or_else(|| StoreError::Corrupt("the sum over its rows was changed; restore a backup".into()))
    }
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}

/// Accounts for the rows while the vault is open, and for as long as a request still has its keys.
struct Account(Weak<OpenVault>);

impl Account {
    fn of(open: &Arc<OpenVault>) -> Self {
        Self(Arc::downgrade(open))
    }
}

impl RowWatch for Account {
    fn tag(&self, row: &[u8]) -> Option<Tag> {
        self.0.upgrade().map(|open| mac::compute(&open.row_tag_key, &[row]))
    }

    fn lives(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn keep(&self, tx: &mut dyn WriteTx, sum: &Tag) -> Result<(), StoreError> {
        let Some(open) = self.0.upgrade() else { return Ok(()) };
        let kept = Kept { sum: *sum, audit: audit_end(tx)?, anchor: Some(anchor_tag(&open, tx)?) };
        let sealed = wrap::seal(&open.row_sum_key, PURPOSE, aad(&open).as_bytes(), &kept.encode())
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        tx.set_meta(MetaKey::RowSum, &sealed)
    }

    fn recall(&self, tx: &dyn ReadTx) -> Result<Option<Tag>, StoreError> {
        let open = self.0.upgrade().ok_or(StoreError::Closed)?;
        Ok(Kept::read(&open, tx)?.map(|kept| kept.sum))
    }
}

impl Vault {
    /// Has every change of a row accounted for from here on, before the first of them is made. In a store that an earlier release has
    /// written, the rows are taken as they are, once: that takes the longer the more there are.
    pub(super) fn account_for_rows(self: &Arc<Self>, open: &Arc<OpenVault>) -> Result<(), Error> {
        let has_sum = |tx: &dyn ReadTx| Ok(tx.meta(MetaKey::RowSum)?.is_some());
        let mut first = None;
        if !self.read(has_sum)? {
            // No row is changed while the vault is closed, but by what is left of an earlier opening.
            if open.opening > 1 {
                return Ok(());
            }
            let account = Account::of(open);
            first = self.read_aside(|tx| Ok(tx.sum_rows(&account, &mut |_| true)?))?;
        }
        let (vault, opened) = (Arc::clone(self), Arc::clone(open));
        let event = Event::new(&daemon(), "AccountForRows");
        let audited = event.clone();
        let accounted = self.write_and_wait(event, Effect::Reserved, move |tx| {
            // Of what is left of an earlier opening, in the same transaction.
            tx.keep_rows()?;
            begin_account(&vault, &opened, tx, first)?;
            first.map_or(Ok(()), |_| vault.record_mutation(&opened, tx, &audited, 0))
        });
        match accounted {
            // A store that cannot be written still serves reads, and one without room for its first sum goes without.
            Err(Error::Unavailable(_) | Error::LimitsExceeded { .. })
                if self.store.status().read_only.is_some() || !self.read(has_sum)? =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// The sum of the rows as they are, whatever was written down of them.
    pub(super) fn sum_of_all_rows(&self, open: &Arc<OpenVault>) -> Result<Tag, Error> {
        let account = Account::of(open);
        let sum = self.read_aside(|tx| Ok(tx.sum_rows(&account, &mut |_| true)?))?;
        sum.ok_or_else(|| Error::Internal("the rows were not added up".into()))
    }

    /// Reads all rows as they are now and holds them against the sum that was written down; what differs takes the vault out of
    /// service. Blocks for as long as the store is large, and for those that verify it already; `progress` counts rows, of an
    /// estimate. Deleted rows stay in the store's log meanwhile.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when somebody else than the vault has changed the store; [`Error::Unavailable`] where there is no sum.
    /// When the vault is not open or is sealed meanwhile, the store cannot be read, or nobody wants the answer any more.
    pub fn verify_rows(&self, progress: &dyn Progress) -> Result<RowsWhole, Error> {
        let _turn = self.verifying.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.open()?;
        let account = Account::of(&open);
        // Counters are covered by nothing.
        let expected = self.totals().unwrap_or_default();
        let expected = expected.tokens.saturating_mul(ROWS_PER_TOKEN).saturating_add(expected.issued);
        let verified = self.read_aside(|tx| {
            let (mut rows, mut stopped) = (0, Ok(()));
            let sum = tx.sum_rows(&account, &mut |done| {
                rows = done;
                // Who sealed the vault wants its keys gone.
                stopped =
                    progress.report(done, expected.max(done)).map_err(Error::from).and_then(|()| self.check_open());
                stopped.is_ok()
            })?;
            stopped?;
            compare(Kept::read(&open, tx)?, sum)?;
            Ok(RowsWhole { rows })
        });
        let whole = verified.inspect_err(|error| self.quarantine_after(error))?;
        open.anchor.note_verified_rows();
        self.wake_anchor();
        Ok(whole)
    }

    /// The same unless it was done in this opening already.
    pub(super) fn verify_rows_once(&self, open: &OpenVault, progress: &dyn Progress) -> Result<(), Error> {
        // Whoever verifies them now is waited for.
        drop(self.verifying.lock().unwrap_or_else(PoisonError::into_inner));
        if open.anchor.rows_are_verified() {
            return Ok(());
        }
        self.verify_rows(progress).map(|_| ())
    }

    /// Holds every index of the store against its table: what they do not lead to is not found, though it is there. Blocks for as long
    /// as the store is large.
    ///
    /// # Errors
    /// [`Error::Quarantined`] where one differs; when the vault is not open, or the store cannot be read.
    pub fn verify_indexes(&self) -> Result<(), Error> {
        // Held for as long as the store is read, so that no other takes its place meanwhile.
        let _open = self.open()?;
        self.read_aside(|tx| Ok(tx.check_indexes()?)).inspect_err(|error| self.quarantine_after(error))
    }
}

/// Begins to account for the rows; `first` is their sum where none was written down, and is told in the slot table's MAC.
pub(super) fn begin_account(
    vault: &Vault,
    open: &Arc<OpenVault>,
    tx: &mut dyn WriteTx,
    first: Option<Tag>,
) -> Result<(), Error> {
    let Some(kept) = Kept::read(open, tx)? else {
        let lost = || Error::Quarantined("the store has lost the sum over its rows; restore a backup".into());
        return begin_from(vault, open, tx, first.ok_or_else(lost)?);
    };
    let anchor = anchor_tag(open, tx)?;
    if kept.anchor.is_some_and(|kept| kept != anchor) {
        return Err(Error::Quarantined(
            "the anchor and the rows of the store are not of one time; restore a backup".into(),
        ));
    }
    // Before anything is appended, which would make the end that is found the one that is written down.
    check_audit_end(kept.audit, tx)?;
    Ok(tx.watch_rows(Arc::new(Account::of(open)), kept.sum)?)
}

/// Takes the rows as they are, whatever was written down of them: their sum before this transaction. The slot table's MAC is for the
/// caller to make anew.
pub(super) fn begin_account_anew(open: &Arc<OpenVault>, tx: &mut dyn WriteTx, sum: Tag) -> Result<(), Error> {
    tx.watch_rows(Arc::new(Account::of(open)), sum)?;
    Ok(tx.keep_rows()?)
}

/// `sum` is of the rows without what is written here.
fn begin_from(vault: &Vault, open: &Arc<OpenVault>, tx: &mut dyn WriteTx, sum: Tag) -> Result<(), Error> {
    tx.watch_rows(Arc::new(Account::of(open)), sum)?;
    tx.keep_rows()?;
    store_table_mac(vault, open, tx)
}

/// The same for a vault that is being made.
pub(super) fn begin_first_account(vault: &Vault, open: &Arc<OpenVault>, tx: &mut dyn WriteTx) -> Result<(), Error> {
    let first = tx.sum_rows(&Account::of(open), &mut |_| true)?;
    begin_account(vault, open, tx, first)
}

/// The newest audit record is the one that was written last; the chain tells of those before it.
fn check_audit_end(written: Mark, tx: &dyn ReadTx) -> Result<(), Error> {
    let found = audit_end(tx)?;
    if found == written {
        return Ok(());
    }
    let what = match found.seq.cmp(&written.seq) {
        Ordering::Less => format!("were cut off after number {}", found.seq),
        Ordering::Equal => format!("were changed at number {}", found.seq),
        Ordering::Greater => format!("were added after number {}", written.seq),
    };
    Err(Error::Quarantined(format!(
        "records of the audit log {what} by somebody else than the vault; restore a backup"
    )))
}

/// Binds the anchor to the rows it was written with.
fn anchor_tag(open: &OpenVault, tx: &dyn ReadTx) -> Result<Tag, StoreError> {
    let anchor = tx.meta(MetaKey::Anchor)?.unwrap_or_default();
    Ok(mac::compute(&open.row_sum_key, &[b"anchor", &anchor]))
}

/// The newest audit record; number 0 in an empty log.
fn audit_end(tx: &dyn ReadTx) -> Result<Mark, StoreError> {
    let head = tx.audit_head()?;
    Ok(head.map_or(Mark { seq: 0, chain: Tag::default() }, |row| Mark { seq: row.seq, chain: row.chain }))
}

fn compare(kept: Option<Kept>, sum: Option<Tag>) -> Result<(), Error> {
    let (Some(kept), Some(sum)) = (kept, sum) else {
        return Err(Error::Unavailable(
            "there is no sum over the rows of this store yet; free space for it and restart tokenvaultd".into(),
        ));
    };
    if !mac::equal(&kept.sum, &sum) {
        return Err(Error::Quarantined(
            "rows of the store were removed, added or put back by somebody else than the vault; restore a backup"
                .into(),
        ));
    }
    Ok(())
}
