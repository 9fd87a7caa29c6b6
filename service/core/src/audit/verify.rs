//! Walking the chain, in short reads: none of them holds up the writer, and a long log is walked while it is written.

use super::chain::AuditKey;
use crate::error::Error;
use crate::port::{Progress, ReadTx, Tag};
use crate::vault::Vault;

/// Rows read at a time.
const STEP: usize = 512;

/// A record somebody wrote down elsewhere: number and chain value, as the journal tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Number of the record.
    pub seq: u64,
    /// Chain value after it.
    pub chain: Tag,
}

/// A chain without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// How many records it has.
    pub records: u64,
    /// Number of the first one: those before it were let go.
    pub first: u64,
    /// The last one that was there when the walk began; its number is 0 in an empty log.
    pub last: Mark,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// The record with this number was changed, dropped or moved.
    Record(u64),
}

/// How far a walk has come.
#[derive(Default)]
struct Walk {
    /// The last record that is as it should be, or before the first one.
    at: Option<Mark>,
    records: u64,
    first: u64,
    /// Term of that record's key.
    term: u32,
    /// The newest term when it began.
    newest: u32,
}

impl Vault {
    /// Walks the whole chain as it is now, and holds it against `mark`, a record that is known from elsewhere. Blocks for as
    /// long as the log is; `progress` counts records.
    ///
    /// # Errors
    /// When the vault is not open or is sealed meanwhile, the store cannot be read, or nobody wants the answer any more. The
    /// inner result is about the chain.
    pub fn verify_audit(
        &self,
        mark: Option<Mark>,
        progress: &dyn Progress,
    ) -> Result<Result<Whole, ChainFault>, Error> {
        let open = self.open()?;
        // What is read from here on is of this term or a later one.
        let newest = open.audit.newest_term()?;
        let end = self.read(|tx| Ok(tx.audit_head()?))?.map_or(0, |row| row.seq);
        // The end was cut off.
        if mark.is_some_and(|mark| mark.seq > end) {
            return Ok(Err(ChainFault::Record(end.saturating_add(1))));
        }
        let mut walk = Walk { newest, ..Walk::default() };
        while walk.at.is_none_or(|at| at.seq < end) {
            if let Err(fault) = self.read(|tx| walk.step(&open.audit, tx, end, mark))? {
                return Ok(Err(fault));
            }
            let left = walk.at.map_or(end, |at| end.saturating_sub(at.seq));
            progress.report(walk.records, walk.records.saturating_add(left))?;
            // Who sealed the vault wants its keys gone.
            self.check_open()?;
        }
        // What there was when this began may all have been let go meanwhile.
        if walk.records > 0 && walk.term < newest {
            return Ok(Err(ChainFault::Record(end.saturating_add(1))));
        }
        let last = walk.at.unwrap_or(Mark { seq: 0, chain: Tag::default() });
        Ok(Ok(Whole { records: walk.records, first: walk.first, last }))
    }
}

impl Walk {
    /// Goes on for some records, to `end` at most.
    fn step(
        &mut self,
        key: &AuditKey,
        tx: &dyn ReadTx,
        end: u64,
        mark: Option<Mark>,
    ) -> Result<Result<(), ChainFault>, Error> {
        let first = tx.audit(0, 1)?.first().map(|row| row.seq);
        let Some(base) = key.base(tx, self.newest)? else { return Ok(Err(ChainFault::Record(first.unwrap_or(1)))) };
        let begins = base.seq.saturating_add(1);
        if let Some(first) = first.filter(|first| *first != begins) {
            return Ok(Err(ChainFault::Record(first.min(begins))));
        }
        let mut at = match self.at {
            Some(at) if at.seq >= base.seq => at,
            // The beginning, also where it has come after us: what was let go meanwhile is not walked.
            _ => {
                (self.records, self.first, self.term) = (0, begins, 0);
                Mark { seq: base.seq, chain: base.chain }
            }
        };
        let rows = tx.audit(at.seq, STEP)?;
        // Also where what is left lies behind the end, which was there when this began.
        if at.seq < end && rows.first().is_none_or(|row| row.seq > end) {
            return Ok(Err(ChainFault::Record(at.seq.saturating_add(1))));
        }
        for row in rows.into_iter().take_while(|row| row.seq <= end) {
            let expected = at.seq.saturating_add(1);
            let follows = key.follows(&at.chain, &row, self.term).filter(|_| row.seq == expected);
            let Some(term) = follows else { return Ok(Err(ChainFault::Record(expected.min(row.seq)))) };
            self.term = term;
            at = Mark { seq: row.seq, chain: row.chain };
            if mark.is_some_and(|mark| mark.seq == at.seq && mark != at) {
                return Ok(Err(ChainFault::Record(at.seq)));
            }
            self.records += 1;
        }
        self.at = Some(at);
        Ok(Ok(()))
    }
}
