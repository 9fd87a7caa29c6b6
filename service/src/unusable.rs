//! A store that could not be opened: the daemon runs all the same and says why.

use tokenvault_core::port::{ReadTx, Replacement, Store, StoreCounters, StoreError, StoreStatus, WriteJob};

/// Answers everything with the reason the real store was not opened.
pub struct UnusableStore {
    damaged: bool,
    reason: String,
}

impl UnusableStore {
    /// In place of a store that `error` kept from being opened.
    pub fn new(error: &StoreError) -> Self {
        let reason = match error {
            StoreError::Corrupt(reason) => reason.clone(),
            other => other.to_string(),
        };
        Self { damaged: matches!(error, StoreError::Corrupt(_)), reason }
    }

    fn error(&self) -> StoreError {
        if self.damaged { StoreError::Corrupt(self.reason.clone()) } else { StoreError::Io(self.reason.clone()) }
    }
}

impl Store for UnusableStore {
    fn read(&self, _work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        Err(self.error())
    }

    fn read_aside(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.read(work)
    }

    fn submit(&self, job: Box<dyn WriteJob>) {
        job.finish(Err(self.error()));
    }

    fn status(&self) -> StoreStatus {
        let reason = Some(self.reason.clone());
        let (read_only, damaged) = if self.damaged { (None, reason) } else { (reason, None) };
        StoreStatus { read_only, damaged, disk_bytes: 0, cramped: 0 }
    }

    fn counters(&self) -> StoreCounters {
        StoreCounters::default()
    }

    fn schema(&self) -> u32 {
        tokenvault_store::SCHEMA
    }

    fn begin_replacement(&self, _schema: u32) -> Result<Box<dyn Replacement>, StoreError> {
        Err(self.error())
    }
}
