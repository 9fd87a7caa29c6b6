//! Reads and denials on their way to the log.
//!
//! The log keeps a number of records, so whoever could write as many as he likes could push out what others did, and what he
//! did himself. Equal reads are one record with a count; and a uid whose reads differ faster than [`Allowance`] lets it has
//! the rest counted without names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::allowance::Allowance;
use super::receipt::{First, Receipt};
use super::{AuditRecord, Outcome};
use crate::Timestamp;

/// Equal reads within this time are folded into one record.
pub const FOLD_READS_USEC: u64 = 1_000_000;
/// Denials of one uid and operation within this time are folded into one record.
pub const FOLD_DENIALS_USEC: u64 = 60_000_000;
/// Most records waiting; beyond it reads are refused, so that none leaves unrecorded.
const WAITING_MAX: usize = 65_536;

/// What makes two records equal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    uid: u32,
    operation: String,
    owner: Option<u32>,
    name: String,
    version: u64,
    outcome: Outcome,
    app: String,
    purpose: String,
    unit: Option<String>,
}

impl Key {
    fn of(record: &AuditRecord) -> Self {
        let denial = record.outcome != Outcome::Ok;
        Self {
            uid: record.uid,
            operation: record.operation.clone(),
            owner: record.owner.filter(|_| !denial),
            name: if denial { String::new() } else { record.name.clone() },
            version: record.version,
            outcome: record.outcome,
            app: if denial { String::new() } else { record.app.clone() },
            purpose: if denial { String::new() } else { record.purpose.clone() },
            // What the service manager says, and what an administrator looks for when a unit did not start.
            unit: record.unit.clone(),
        }
    }
}

/// A run of equal records: the first goes out at once, those that follow within the window as one more.
#[derive(Debug)]
struct Run {
    since: Timestamp,
    /// Where reads wait until the first record is durable: how far it is.
    first: Option<Arc<First>>,
    followers: Option<AuditRecord>,
}

impl Run {
    /// Whether an equal record falls into its time.
    fn takes(&self, record: &AuditRecord) -> bool {
        record.time.as_usec().saturating_sub(self.since.as_usec()) < window(record.outcome)
    }

    /// Counts one that follows.
    fn count(&mut self, mut record: AuditRecord) {
        match &mut self.followers {
            Some(followers) => followers.count += record.count,
            None => {
                if record.outcome != Outcome::Ok {
                    record.name.clear();
                }
                self.followers = Some(record);
            }
        }
    }
}

const fn window(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Ok => FOLD_READS_USEC,
        Outcome::Denied | Outcome::NotFound | Outcome::Failed => FOLD_DENIALS_USEC,
    }
}

#[derive(Debug, Default)]
struct Waiting {
    ready: Vec<AuditRecord>,
    runs: HashMap<Key, Run>,
    allowances: HashMap<u32, Allowance>,
    /// Whether reads are refused.
    closed: bool,
}

impl Waiting {
    /// Where a record belongs. One that its uid has no allowance for loses what makes it different from the others.
    fn place(&mut self, record: &mut AuditRecord) -> Key {
        let key = Key::of(record);
        if record.outcome != Outcome::Ok || self.runs.get(&key).is_some_and(|run| run.takes(record)) {
            return key;
        }
        if self.allowances.entry(record.uid).or_default().take(record.time) {
            return key;
        }
        record.name.clear();
        record.app.clear();
        record.purpose.clear();
        (record.owner, record.version) = (None, 0);
        Key::of(record)
    }

    fn check(&self, record: &AuditRecord) -> Result<(), NotNoted> {
        // Who is refused at a sealed vault is written down when it is open again.
        if self.closed && record.outcome == Outcome::Ok {
            return Err(NotNoted::Closed);
        }
        if self.ready.len() + self.runs.len() >= WAITING_MAX { Err(NotNoted::Full) } else { Ok(()) }
    }

    /// Takes what is ready, and the followers of runs that ended before `now`, or of all.
    fn take(&mut self, now: Timestamp, all: bool) -> Vec<AuditRecord> {
        let mut taken = std::mem::take(&mut self.ready);
        self.allowances.retain(|_, allowance| !allowance.is_whole(now));
        self.runs.retain(|key, run| {
            let age = now.as_usec().saturating_sub(run.since.as_usec());
            // A clock that was set back must not keep a run open for ever.
            let open = !all && age < window(key.outcome) && now >= run.since;
            if !open {
                taken.extend(run.followers.take());
            }
            open
        });
        taken
    }

    /// Begins a run where there was none, or one that has ended.
    fn begin(&mut self, key: Key, run: Run) {
        if let Some(Run { followers: Some(followers), .. }) = self.runs.insert(key, run) {
            self.ready.push(followers);
        }
    }
}

/// Why something was not noted: its answer must not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNoted {
    /// Too many records wait.
    Full,
    /// The keys of the log are gone: whoever reads now does so behind a seal.
    Closed,
}

/// Records that wait for the next commit.
#[derive(Debug, Default)]
pub struct AuditQueue {
    waiting: Mutex<Waiting>,
}

impl AuditQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a read or a denial before it is answered.
    ///
    /// # Errors
    /// [`NotNoted`]: the answer must not leave.
    pub fn note(&self, mut record: AuditRecord) -> Result<(), NotNoted> {
        let mut waiting = self.lock();
        waiting.check(&record)?;
        let key = waiting.place(&mut record);
        if let Some(run) = waiting.runs.get_mut(&key)
            && run.takes(&record)
        {
            run.count(record);
            return Ok(());
        }
        waiting.begin(key, Run { since: record.time, first: None, followers: None });
        waiting.ready.push(record);
        Ok(())
    }

    /// Notes a read whose value waits until a record of it is durable: its own, or that of an equal one before it, behind which
    /// it is counted. Without a receipt it has nothing to wait for.
    ///
    /// # Errors
    /// [`NotNoted`]: the answer must not leave.
    pub fn note_durably(&self, mut record: AuditRecord) -> Result<Option<Receipt>, NotNoted> {
        let mut waiting = self.lock();
        waiting.check(&record)?;
        let key = waiting.place(&mut record);
        if let Some(run) = waiting.runs.get_mut(&key)
            && run.takes(&record)
            && let Some(first) = run.first.clone().filter(|first| !first.has_failed())
        {
            run.count(record);
            return Ok(Receipt::behind(first));
        }
        let first = Arc::new(First::default());
        waiting.begin(key, Run { since: record.time, first: Some(Arc::clone(&first)), followers: None });
        Ok(Some(Receipt::of(first, record)))
    }

    /// Takes what has to be committed now: new records, and the followers of runs that ended before `now`. With `all`, also
    /// those of runs that still go on.
    pub fn take(&self, now: Timestamp, all: bool) -> Vec<AuditRecord> {
        self.lock().take(now, all)
    }

    /// Takes what there is by now, for somebody who looks; runs that still go on do so, and what follows is counted anew.
    pub fn take_so_far(&self, now: Timestamp) -> Vec<AuditRecord> {
        let mut waiting = self.lock();
        let mut taken = waiting.take(now, false);
        taken.extend(waiting.runs.values_mut().filter_map(|run| run.followers.take()));
        taken
    }

    /// Takes the reads of one token, by its owner and name, and ends their runs: the next equal one begins another, which its reader
    /// needs an allowance for like any other.
    pub fn end_runs_of(&self, owner: u32, name: &str) -> Vec<AuditRecord> {
        let mut waiting = self.lock();
        let is_its = |record: &mut AuditRecord| {
            record.outcome == Outcome::Ok && record.owner == Some(owner) && record.name == name
        };
        let mut taken: Vec<_> = waiting.ready.extract_if(.., is_its).collect();
        let ended = waiting
            .runs
            .extract_if(|key, _| key.outcome == Outcome::Ok && key.owner == Some(owner) && key.name == name);
        taken.extend(ended.filter_map(|(_, run)| run.followers));
        taken
    }

    /// Takes everything, and notes no read any more: whoever still holds keys of a vault that was sealed comes too late.
    pub fn close(&self, now: Timestamp) -> Vec<AuditRecord> {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.take(now, true)
    }

    /// Notes reads again.
    pub fn reopen(&self) {
        self.lock().closed = false;
    }

    /// Records that would have to be written if nothing more came.
    pub fn waiting(&self) -> usize {
        let waiting = self.lock();
        waiting.ready.len() + waiting.runs.values().filter(|run| run.followers.is_some()).count()
    }

    /// Puts back what could not be committed.
    pub fn put_back(&self, records: Vec<AuditRecord>) {
        let mut waiting = self.lock();
        let newer = std::mem::replace(&mut waiting.ready, records);
        waiting.ready.extend(newer);
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.ready.is_empty() && waiting.runs.is_empty()
    }
}

#[cfg(test)]
mod tests;
