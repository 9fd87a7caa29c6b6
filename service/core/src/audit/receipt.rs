//! What a read waits for whose record has to be durable before the value leaves.
//!
//! Of equal reads within a second only the first has a record of its own, and those that come while it is being written wait
//! for the same commit. When that fails, none of their values leaves.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::AuditRecord;

type Waiter = Box<dyn FnOnce(bool) + Send>;

enum State {
    /// Not written yet; who waits for it.
    Awaited(Vec<Waiter>),
    Durable,
    Failed,
}

/// How far the first record of a run is.
pub(super) struct First(Mutex<State>);

impl Default for First {
    fn default() -> Self {
        Self(Mutex::new(State::Awaited(Vec::new())))
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("First").finish_non_exhaustive()
    }
}

impl First {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(*self.lock(), State::Failed)
    }

    /// Notes how it ended, and tells who waits. What ended stays so.
    fn settle(&self, durable: bool) {
        let waiters = {
            let mut state = self.lock();
            let State::Awaited(waiters) = &mut *state else { return };
            let waiters = std::mem::take(waiters);
            *state = if durable { State::Durable } else { State::Failed };
            waiters
        };
        waiters.into_iter().for_each(|waiter| waiter(durable));
    }
}

/// A read that may be answered once a record is durable: its own, or that of the first of its run.
#[derive(Debug)]
pub struct Receipt {
    first: Arc<First>,
    record: Option<AuditRecord>,
    /// Whether the record is this one's, and others wait for it.
    leads: bool,
}

impl Receipt {
    /// Of the first read of a run.
    pub(super) const fn of(first: Arc<First>, record: AuditRecord) -> Self {
        Self { first, record: Some(record), leads: true }
    }

    /// Of one that follows it; `None` when there is nothing to wait for any more.
    pub(super) fn behind(first: Arc<First>) -> Option<Self> {
        let durable = matches!(*first.lock(), State::Durable);
        (!durable).then_some(Self { first, record: None, leads: false })
    }

    /// The record that has to be written for it, if it is not another's. [`Receipt::settle`] is told how that ended.
    pub fn take_record(&mut self) -> Option<AuditRecord> {
        self.record.take()
    }

    /// Says how writing the record that was taken has ended.
    pub fn settle(self, durable: bool) {
        self.first.settle(durable);
    }

    /// Tells `waiter` how writing another's record ends.
    pub fn wait(self, waiter: impl FnOnce(bool) + Send + 'static) {
        let mut state = self.first.lock();
        let durable = match &mut *state {
            State::Awaited(waiters) => return waiters.push(Box::new(waiter)),
            State::Durable => true,
            State::Failed => false,
        };
        drop(state);
        waiter(durable);
    }
}

impl Drop for Receipt {
    /// A read that is given up before its record was written leaves those behind it without one. What was settled stays so.
    fn drop(&mut self) {
        if self.leads {
            self.first.settle(false);
        }
    }
}
