//! What the writer lets others know, shared between its thread and the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreCounters {
    /// Durable commits.
    pub commits: u64,
    /// Jobs whose writes those commits made durable.
    pub writes: u64,
    /// Times the log was emptied so that deleted rows are gone from it.
    pub erasures: u64,
}

/// The writer's side of the status.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    commits: AtomicU64,
    writes: AtomicU64,
    erasures: AtomicU64,
    read_only: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn count_commit(&self, writes: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
    }

    pub(crate) fn count_erasure(&self) {
        self.erasures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> StoreCounters {
        StoreCounters {
            commits: self.commits.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            erasures: self.erasures.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn set_read_only(&self, reason: String) {
        *self.reason() = Some(reason);
    }

    pub(crate) fn read_only(&self) -> Option<String> {
        self.reason().clone()
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.read_only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
