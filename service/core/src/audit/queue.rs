//! Reads and denials on their way to the log.
//!
//! The log keeps a number of records, so whoever could write as many as he likes could push out what others did, and what he
//! did himself. Equal reads are one record with a count; and a uid whose reads differ faster than [`Allowance`] lets it has
//! the rest counted without names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::allowance::Allowance;
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
        }
    }
}

/// A run of equal records: the first goes out at once, those that follow within the window as one more.
#[derive(Debug)]
struct Run {
    since: Timestamp,
    followers: Option<AuditRecord>,
}

impl Run {
    /// Whether an equal record falls into its time.
    fn takes(&self, record: &AuditRecord) -> bool {
        record.time.as_usec().saturating_sub(self.since.as_usec()) < window(record.outcome)
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
}

/// Records that wait for the next commit.
#[derive(Debug, Default)]
pub struct AuditQueue {
    waiting: Mutex<Waiting>,
}

impl AuditQueue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a read or a denial before it is answered. False when too many wait: the answer must not leave.
    pub fn note(&self, mut record: AuditRecord) -> bool {
        let mut waiting = self.lock();
        if waiting.ready.len() + waiting.runs.len() >= WAITING_MAX {
            return false;
        }
        let key = waiting.place(&mut record);
        if let Some(run) = waiting.runs.get_mut(&key)
            && run.takes(&record)
        {
            match &mut run.followers {
                Some(followers) => followers.count += record.count,
                None => {
                    if record.outcome != Outcome::Ok {
                        record.name.clear();
                    }
                    run.followers = Some(record);
                }
            }
            return true;
        }
        let run = Run { since: record.time, followers: None };
        if let Some(Run { followers: Some(followers), .. }) = waiting.runs.insert(key, run) {
            waiting.ready.push(followers);
        }
        waiting.ready.push(record);
        true
    }

    /// Takes what has to be committed now: new records, and the followers of runs that ended before `now`. With `all`, also
    /// those of runs that still go on.
    pub fn take(&self, now: Timestamp, all: bool) -> Vec<AuditRecord> {
        let mut waiting = self.lock();
        let mut taken = std::mem::take(&mut waiting.ready);
        waiting.allowances.retain(|_, allowance| !allowance.is_whole(now));
        waiting.runs.retain(|key, run| {
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
mod tests {
    use super::*;
    use crate::{Caller, caller::Door};

    fn read(name: &str, at: u64) -> AuditRecord {
        let caller = Caller { uid: 7, gids: [7].into(), user: "alice".into(), door: Door::Socket, pid: None };
        AuditRecord { name: name.into(), ..AuditRecord::new(&caller, "Get", Timestamp::from_usec(at)) }
    }

    #[test]
    fn the_first_read_waits_for_no_window() {
        let queue = AuditQueue::default();
        assert!(queue.note(read("a", 10)));
        assert_eq!(queue.take(Timestamp::from_usec(11), false).len(), 1);
    }

    #[test]
    fn equal_reads_of_a_second_are_one_more_record_with_their_count() {
        let queue = AuditQueue::default();
        for at in 0..1_000 {
            assert!(queue.note(read("a", 10 + at)));
        }
        assert_eq!(queue.take(Timestamp::from_usec(2_000), false).len(), 1);
        let rest = queue.take(Timestamp::from_usec(10 + FOLD_READS_USEC), false);
        assert_eq!(rest.iter().map(|record| record.count).collect::<Vec<_>>(), [999]);
        assert!(queue.is_idle());
    }

    #[test]
    fn different_reads_are_not_folded() {
        let queue = AuditQueue::default();
        assert!(queue.note(read("a", 1)) && queue.note(read("b", 2)));
        assert_eq!(queue.take(Timestamp::from_usec(3), false).len(), 2);
    }

    #[test]
    fn a_uid_whose_reads_all_differ_does_not_fill_the_log() {
        let queue = AuditQueue::default();
        for number in 0..50_000 {
            let purpose = number.to_string();
            assert!(queue.note(AuditRecord { purpose, ..read("a", number * 10) }));
        }
        assert!(queue.note(AuditRecord { uid: 8, ..read("b", 500_000) }));
        let records = queue.take(Timestamp::from_usec(500_000), true);
        assert!(records.len() < 2_500, "{}", records.len());
        assert_eq!(records.iter().filter(|record| record.uid == 7).map(|record| record.count).sum::<u64>(), 50_000);
        assert!(records.iter().any(|record| record.uid == 8 && record.name == "b"), "another's stays as it is");
    }

    #[test]
    fn denials_are_folded_without_the_names_that_were_tried() {
        let queue = AuditQueue::default();
        for name in ["a", "b", "c"] {
            assert!(queue.note(AuditRecord { outcome: Outcome::NotFound, ..read(name, 5) }));
        }
        let records = queue.take(Timestamp::from_usec(6), true);
        assert_eq!(records.iter().map(|record| record.count).sum::<u64>(), 3);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn nothing_is_lost_when_a_commit_fails() {
        let queue = AuditQueue::default();
        queue.note(read("a", 1));
        let taken = queue.take(Timestamp::from_usec(2), false);
        queue.note(read("b", 3));
        queue.put_back(taken);
        let names: Vec<_> = queue.take(Timestamp::from_usec(4), false).into_iter().map(|record| record.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_clock_set_back_does_not_keep_a_run_open() {
        let queue = AuditQueue::default();
        queue.note(read("a", 1_000));
        queue.note(read("a", 1_001));
        assert_eq!(queue.take(Timestamp::from_usec(1), false).len(), 2);
        assert!(queue.is_idle());
    }
}
