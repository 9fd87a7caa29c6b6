//! The way into the writer: a bounded queue, and the thread at its end.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use tokenvault_core::port::StoreError;

use super::replace::{Entrance, Swap};
use super::{Job, Writer, batch};
use crate::fault::Fault;

/// A queue takes the memory for its whole length when it is made.
const LONGEST: usize = 1 << 16;

/// What the writer is told to do.
pub(super) enum Order {
    /// To write.
    Job(Job),
    /// To go on with another store.
    Replace(Swap),
}

/// The writer's queue. Dropping it lets the writer finish what was queued, and waits for it without a deadline: a disk that
/// hangs is for the owner to think of.
pub(crate) struct Queue {
    jobs: Option<Arc<SyncSender<Order>>>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// Starts the writer's thread behind a queue of `length` jobs.
    pub(crate) fn start(writer: Writer, length: usize) -> Result<Self, Fault> {
        let (jobs, receiver) = sync_channel(length.clamp(1, LONGEST));
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(&receiver))?;
        Ok(Self { jobs: Some(Arc::new(jobs)), thread: Some(thread) })
    }

    /// Queues a job, or tells it at once that it was not queued.
    pub(crate) fn submit(&self, job: Job) {
        let Some(jobs) = &self.jobs else { return batch::finish_one(job, Err(StoreError::Closed)) };
        let (order, refusal) = match jobs.try_send(Order::Job(job)) {
            Ok(()) => return,
            Err(TrySendError::Full(order)) => (order, StoreError::Busy),
            Err(TrySendError::Disconnected(order)) => (order, StoreError::Closed),
        };
        if let Order::Job(job) = order {
            batch::finish_one(job, Err(refusal));
        }
    }

    /// A way in that does not keep the writer from ending.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance(self.jobs.as_ref().map_or_else(Weak::new, Arc::downgrade))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Some(thread) = self.thread.take() else { return };
        // The last owner of the store may be a job that the writer is just telling; a thread cannot wait for itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            log::error!("the store's writer ended by a panic");
        }
    }
}
