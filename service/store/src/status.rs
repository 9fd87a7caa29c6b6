//! What the writer lets others know, shared between its thread and the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokenvault_core::port::{BATCH_BOUNDS, StoreCounters, StoreError};

/// The status as the writer and the readers leave it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    commits: AtomicU64,
    writes: AtomicU64,
    erasures: AtomicU64,
    cramped: AtomicU64,
    batches: [AtomicU64; BATCH_BOUNDS.len() + 1],
    read_only: Mutex<Option<String>>,
    // Set once: only opening the store again can tell that a damaged file was mended.
    damaged: OnceLock<String>,
}

impl Shared {
    pub(crate) fn count_commit(&self, writes: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes, Ordering::Relaxed);
        let place = BATCH_BOUNDS.iter().position(|bound| writes <= *bound).unwrap_or(BATCH_BOUNDS.len());
        if let Some(batches) = self.batches.get(place) {
            batches.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_erasure(&self) {
        self.erasures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_cramped(&self) {
        self.cramped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cramped(&self) -> u64 {
        self.cramped.load(Ordering::Relaxed)
    }

    pub(crate) fn counters(&self) -> StoreCounters {
        StoreCounters {
            commits: self.commits.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            erasures: self.erasures.load(Ordering::Relaxed),
            batches: self.batches.each_ref().map(|batches| batches.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn set_read_only(&self, reason: String) {
        *self.reason() = Some(reason);
    }

    pub(crate) fn read_only(&self) -> Option<String> {
        self.reason().clone()
    }

    /// Takes note of the damage an error tells of, if it does; the first is kept, because it may have caused all others.
    pub(crate) fn heed(&self, error: &StoreError) {
        if let StoreError::Corrupt(what) = error
            && self.damaged.set(what.clone()).is_ok()
        {
            log::error!("the store is damaged and is neither read nor written any more: {what}");
        }
    }

    /// The damage that was met, if any.
    pub(crate) fn damaged(&self) -> Option<&str> {
        self.damaged.get().map(String::as_str)
    }

    /// # Errors
    /// `Corrupt` when damage was met.
    pub(crate) fn check_whole(&self) -> Result<(), StoreError> {
        self.damaged().map_or(Ok(()), |what| Err(StoreError::Corrupt(what.to_owned())))
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.read_only.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
