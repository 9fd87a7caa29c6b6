//! One operation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokenvault_core::Error;
use tokenvault_core::port::Cancelled;
use tokenvault_proto::Findings;

use super::Ended;
use crate::bus::Refusal;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Under way.
    Running,
    /// Ended as it should.
    Done,
    /// Ended otherwise.
    Failed,
    /// Ended because somebody wanted it to.
    Cancelled,
}

impl State {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub state: State,
    /// What it found.
    pub findings: Findings,
    /// Why it failed, as a caller would have been told.
    pub refusal: Option<Refusal>,
}

/// An operation as it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its number.
    pub id: u64,
    /// The method that began it.
    pub operation: &'static str,
    /// Steps that are done, and steps in all (0: not known).
    pub steps: (u64, u64),
    /// What came of it; `None` while it runs.
    pub outcome: Option<Outcome>,
}

pub(super) struct Entry {
    pub(super) uid: u32,
    operation: &'static str,
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
    ended: Mutex<Option<(Outcome, Instant)>>,
}

impl Entry {
    pub(super) fn new(uid: u32, operation: &'static str) -> Self {
        let (done, total, cancelled) = Default::default();
        Self { uid, operation, done, total, cancelled, ended: Mutex::default() }
    }

    fn ended(&self) -> MutexGuard<'_, Option<(Outcome, Instant)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Work that came to its end all the same, or failed of itself, was not cancelled.
    pub(super) fn end(&self, ended: Ended, now: Instant) {
        let outcome = match ended {
            Ok(findings) => Outcome { state: State::Done, findings, refusal: None },
            Err((Error::Cancelled, findings)) => Outcome { state: State::Cancelled, findings, refusal: None },
            Err((error, findings)) => Outcome { state: State::Failed, findings, refusal: Some(error.into()) },
        };
        *self.ended() = Some((outcome, now));
    }

    pub(super) fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ended().as_ref().map(|(_, at)| *at)
    }

    pub(super) fn view(&self, id: u64) -> View {
        // First: what has ended reports nothing any more.
        let outcome = self.ended().as_ref().map(|(outcome, _)| outcome.clone());
        let steps = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        View { id, operation: self.operation, steps, outcome }
    }
}
