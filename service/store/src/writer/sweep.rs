//! Removing what is left over of values in chunks: a few chunks at a time, so that a large value that is deleted holds up no
//! other write.
//!
//! Its key went with its version. What is removed here is ciphertext that nobody can read, and space.

use std::time::{Duration, Instant};

use tokenvault_core::port::{JobFailure, StoreError, WriteJob, WriteTx};

use super::{Job, Writer};
use crate::fault::Fault;
use crate::tx;

/// Chunks removed in one step.
const STEP: usize = 8;
/// After a step that failed, no sooner than this again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When the next step is due.
#[derive(Debug)]
pub(super) struct Sweep(Option<Instant>);

impl Sweep {
    /// There may be something left from before.
    pub(super) fn new() -> Self {
        Self(Some(Instant::now()))
    }

    /// When the writer should look here next.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.0
    }

    /// Takes note of a commit.
    pub(super) fn committed(&mut self, now: Instant) {
        self.0 = self.0.or(Some(now));
    }
}

impl Writer {
    /// Ends what somebody was writing when the daemon ended; before anything else is written.
    pub(super) fn abandon_contents(&mut self) {
        match tx::has_open_contents(&self.connection) {
            Ok(false) => {}
            Ok(true) => self.write(vec![Box::new(Abandon)]),
            Err(Fault(error)) => log::warn!("values that were coming in could not be looked for: {error}"),
        }
    }

    /// Removes a little of what is left over.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.sweep.0.is_none_or(|due| due > now) {
            return;
        }
        self.sweep.0 = None;
        if self.health.refusal().is_some() {
            return;
        }
        match tx::left_over(&self.connection) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let commits = self.shared.counters().commits;
                let step: Job = Box::new(Step);
                self.write(vec![step]);
                let failed = self.shared.counters().commits == commits;
                self.sweep.0 = Some(if failed { now + RETRY_AFTER } else { now });
            }
            Err(Fault(error)) => {
                // It is looked for again after the next commit.
                log::warn!("what is left of deleted values could not be looked for: {error}");
            }
        }
    }
}

struct Step;

impl WriteJob for Step {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        tx.sweep_contents(STEP).map_err(|_| JobFailure)
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        if let Err(error) = committed {
            log::warn!("what is left of deleted values could not be removed, trying again: {error}");
        }
    }

    fn frees(&self) -> bool {
        true
    }
}

struct Abandon;

impl WriteJob for Abandon {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        tx.abandon_all_contents().map_err(|_| JobFailure)
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        if let Err(error) = committed {
            log::warn!("values that were coming in when the daemon ended stay until the next start: {error}");
        }
    }

    fn frees(&self) -> bool {
        true
    }
}
