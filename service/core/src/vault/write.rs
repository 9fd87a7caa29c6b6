//! The way to the store's writer.

use std::sync::Arc;

use super::{Event, Vault};
use crate::audit::{AuditRecord, Outcome};
use crate::error::Error;
use crate::port::{JobFailure, StoreError, WriteJob, WriteTx};

/// Called once with how a write ended, on the writer's thread: it must only hand the result on.
pub type Reply<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// As what one that writes nothing stands in the queue.
pub(super) const ROUND_TRIP: &str = "RoundTrip";

/// What a write means for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Adds or changes.
    Grows,
    /// Adds so many bytes at once, with few of which a commit should end.
    GrowsBy(usize),
    /// Adds or changes, but must go on when the disk is full: the audit log's records.
    Reserved,
    /// Takes something away for good.
    Erases,
    /// Adds or changes the keys by which whoever writes next has to go.
    Turns,
    /// Takes away such keys for good.
    Retires,
}

struct Job<T, W> {
    vault: Arc<Vault>,
    event: Event,
    effect: Effect,
    work: W,
    /// Whether it has begun to change what reads may find.
    begun: bool,
    outcome: Option<Result<T, Error>>,
    reply: Reply<T>,
}

impl<T, W> WriteJob for Job<T, W>
where
    T: Send,
    W: FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        // What changes tokens says whose: nothing else has an owner.
        if let (false, Some(owner)) = (self.begun, self.event.owner) {
            self.vault.begin_write(owner);
            self.begun = true;
        }
        let outcome = (self.work)(tx);
        let failed = outcome.is_err();
        self.outcome = Some(outcome);
        if failed { Err(JobFailure) } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>, committed: Result<(), StoreError>) {
        if let (true, Some(owner)) = (self.begun, self.event.owner) {
            self.vault.hot.end_write(owner);
        }
        let result = match committed {
            Ok(()) => self.outcome.take().unwrap_or_else(|| Err(Error::Internal("a write did not run".into()))),
            Err(error) => Err(self.vault.store_failed(error)),
        };
        match &result {
            Ok(_) => self.vault.note_written(&self.event),
            Err(error) => {
                self.vault.note_refusal(&self.event, error);
                // The store may have become read-only.
                if matches!(error, Error::Unavailable(_)) {
                    self.vault.wake_state();
                }
            }
        }
        (self.reply)(result);
    }

    fn frees(&self) -> bool {
        matches!(self.effect, Effect::Reserved | Effect::Erases | Effect::Retires)
    }

    fn bytes(&self) -> usize {
        match self.effect {
            Effect::GrowsBy(bytes) => bytes,
            Effect::Grows | Effect::Reserved | Effect::Erases | Effect::Turns | Effect::Retires => 0,
        }
    }

    fn erases(&self) -> bool {
        matches!(self.effect, Effect::Erases | Effect::Turns | Effect::Retires)
    }

    fn is_last(&self) -> bool {
        matches!(self.effect, Effect::Turns | Effect::Retires)
    }
}

impl Vault {
    /// Queues a write. `work` runs in a savepoint of its own on the writer's thread; what it wrote is undone when it fails.
    pub(crate) fn write<T: Send + 'static>(
        self: &Arc<Self>,
        event: Event,
        effect: Effect,
        reply: Reply<T>,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) {
        let vault = Arc::clone(self);
        self.store.submit(Box::new(Job { vault, event, effect, work, begun: false, outcome: None, reply }));
    }

    /// Writes and waits. Only for threads that may block.
    pub(crate) fn write_and_wait<T: Send + 'static>(
        self: &Arc<Self>,
        event: Event,
        effect: Effect,
        work: impl FnMut(&mut dyn WriteTx) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let reply = Box::new(move |result| drop(sender.send(result)));
        self.write(event, effect, reply, work);
        let result = receiver.recv().unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping; retry".into())));
        // What is written so is about the vault itself: its slots, its recovery key.
        self.wake_state();
        result
    }

    /// Goes once through the writer without writing, whatever state the vault is in. Its answer shows that the writer lives;
    /// an error is an answer too.
    pub fn round_trip(self: &Arc<Self>, reply: Reply<()>) {
        self.write(Event::new(&super::slots::daemon(), ROUND_TRIP), Effect::Reserved, reply, |_| Ok(()));
    }

    /// What a fault of the store means for a request. Damage takes the vault out of service.
    pub(super) fn store_failed(&self, error: StoreError) -> Error {
        let damaged = matches!(error, StoreError::Corrupt(_));
        let error = Error::from(error);
        if damaged {
            self.quarantine_after(&error);
        }
        error
    }

    /// Notes that a request was refused; best effort, because the refusal stands either way.
    pub fn note_refusal(&self, event: &Event, error: &Error) {
        let outcome = Outcome::of(error);
        if matches!(outcome, Outcome::Denied | Outcome::NotFound) {
            let _refused_all_the_same = self.audit.note(AuditRecord { outcome, ..self.record_of(event) });
            self.wake_audit();
        }
    }
}
