//! The writer: one thread, one connection, one commit for everything that is queued.
//!
//! - [`batch`] runs jobs inside one transaction.
//! - [`space`] decides what is still written when the disk is full.
//! - [`health`] decides what follows an I/O error.
//! - [`sweep`] removes what is left over of large values.
//! - [`wal`] keeps the write-ahead log short and free of deleted rows.

mod batch;
mod health;
mod queue;
mod replace;
mod space;
mod sweep;
mod wal;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use rusqlite::Connection;
use tokenvault_core::port::{StoreError, WriteJob};

use crate::connection;
use crate::directory::Directory;
use crate::fault::Fault;
use crate::reserve::Reserve;
use crate::status::Shared;
use crate::tally::Tally;
use crate::tx::Tx;

pub(crate) use queue::Queue;
pub(crate) use replace::Entrance;

use batch::Ended;
use health::Health;
use queue::Order;
use replace::Swap;
use space::Room;
use sweep::Sweep;
use wal::Wal;

type Job = Box<dyn WriteJob>;

/// Whether there is room for what a batch wrote, asked before it is committed.
type Check = fn(Room, &Connection, &Directory) -> Result<(), Fault>;

/// Jobs of one commit. More would only make the first of them wait longer.
const BATCH: usize = 256;

/// Bytes after which a commit takes no more jobs of those that say how many they write: whoever comes next waits for all of them.
const BATCH_BYTES: usize = 1 << 20;

/// Everything the writer's thread owns.
pub(crate) struct Writer {
    connection: Connection,
    tally: Tally,
    directory: Arc<Directory>,
    shared: Arc<Shared>,
    reserve: Reserve,
    limit: space::Limit,
    wal: Wal,
    sweep: Sweep,
    health: Health,
}

impl Writer {
    /// A writer on a store that was checked and brought up to date.
    pub(crate) fn new(
        connection: Connection,
        directory: Arc<Directory>,
        shared: Arc<Shared>,
        reserve: Reserve,
        store_bytes: u64,
    ) -> Result<Self, Fault> {
        let limit = space::Limit::new(&connection, store_bytes)?;
        let tally = Tally::default();
        tally.follow(&connection)?;
        // A log that is there at the start may hold rows whose deletion was acknowledged before a crash.
        let wal = Wal::new(directory.wal_bytes() > 0);
        let (sweep, health) = (Sweep::new(), Health::default());
        Ok(Self { connection, tally, directory, shared, reserve, limit, wal, sweep, health })
    }

    /// Writes until the queue is closed and empty.
    fn run(mut self, queue: &Receiver<Order>) {
        if !self.reserve.restore() {
            log::warn!("no room for the reserve: only deletes are written until there is space");
        }
        self.abandon_contents();
        loop {
            let next = next(queue, self.wal.due().into_iter().chain(self.sweep.due()).min());
            self.heed_readers();
            match next {
                Ok(Order::Job(first)) => {
                    let (jobs, swap) = batch_with(first, queue);
                    self.write(jobs);
                    swap.into_iter().for_each(|swap| self.replace(swap));
                }
                Ok(Order::Replace(swap)) => self.replace(swap),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.sweep(Instant::now());
            self.tend(Instant::now());
        }
        self.tend_last();
    }

    /// Writes a batch and tells every job how it ended.
    fn write(&mut self, jobs: Vec<Job>) {
        if let Some(refusal) = self.health.refusal() {
            return batch::refuse(jobs, refusal);
        }
        let mut jobs = self.let_through(jobs);
        if jobs.is_empty() {
            return;
        }
        match self.attempt(&mut jobs) {
            Ok(ended) => batch::finish(jobs, &ended),
            Err(StoreError::Full) => {
                self.make_room();
                self.write_singly(jobs);
            }
            Err(error) => self.fail(jobs, &error),
        }
    }

    /// One transaction.
    fn attempt(&mut self, jobs: &mut [Job]) -> Result<Vec<Ended>, StoreError> {
        self.attempt_if(jobs, Room::check)
    }

    /// One transaction, if `check` finds room for it.
    fn attempt_if(&mut self, jobs: &mut [Job], check: Check) -> Result<Vec<Ended>, StoreError> {
        let room = Room::before(&self.connection)?;
        let ended = batch::commit(&self.connection, &self.tally, jobs, self.limit, |connection| {
            check(room, connection, &self.directory)
        })
        .map_err(|error| self.directory.cause(error))?;
        let written = ended.iter().filter(|end| **end == Ended::Written).count() as u64;
        if written > 0 {
            self.shared.count_commit(written);
            self.wal.committed(Instant::now(), batch::erases(jobs, &ended));
            self.sweep.committed(Instant::now());
            // A batch that wrote nothing says nothing about the disk.
            self.health.committed();
        }
        Ok(ended)
    }

    /// Fails a batch, and finds out whether the next one can be written.
    fn fail(&mut self, jobs: Vec<Job>, error: &StoreError) {
        log::error!("{} writes failed: {error}", jobs.len());
        let open_again = self.health.failed(error);
        // Whoever learns of the failure finds its consequence in the status.
        self.tell();
        batch::refuse(jobs, error);
        if open_again {
            self.reopen();
            self.tell();
        }
    }

    /// Stops writing to a file in which a reader has met damage.
    fn heed_readers(&mut self) {
        if let Some(what) = self.shared.damaged() {
            self.health.give_up(&StoreError::Corrupt(what.to_owned()));
        }
    }

    /// Replaces the connection, because what its cache holds may never have reached the disk.
    fn reopen(&mut self) {
        let opened = connection::look(&self.directory.vault()).and_then(|connection| {
            crate::identity::check_contents(&connection)?;
            crate::identity::check_schema(&connection)?;
            connection::own(&connection)?;
            self.tally.follow(&connection)?;
            self.recall_sum(&connection)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => self.connection = connection,
            Err(Fault(error)) => self.health.give_up(&error),
        }
    }

    /// Takes the sum over the rows from the file again: nobody knows whether the last commit reached it.
    fn recall_sum(&self, connection: &Connection) -> Result<(), Fault> {
        let Some((watch, _)) = self.tally.watched() else { return Ok(()) };
        match watch.recall(&Tx::new(connection)) {
            Ok(Some(sum)) => self.tally.watch(watch, sum),
            Ok(None) => return Err(Fault::corrupt("the store has lost the sum over its rows; restore a backup")),
            // The vault is sealed: no row is changed before it is opened again.
            Err(StoreError::Closed) => {}
            Err(error) => return Err(Fault(error)),
        }
        Ok(())
    }

    fn tell(&self) {
        match (self.health.refusal(), self.health.reason()) {
            (Some(error @ StoreError::Corrupt(_)), _) => self.shared.heed(error),
            (_, Some(reason)) => self.shared.set_read_only(reason.to_owned()),
            _ => {}
        }
    }
}

/// What is written together with `first`; and where that ends because another store is to take the place of this one, that one.
fn batch_with(first: Job, queue: &Receiver<Order>) -> (Vec<Job>, Option<Swap>) {
    let (mut bytes, mut ends) = (first.bytes(), first.is_last());
    let mut jobs = vec![first];
    while !ends
        && jobs.len() < BATCH
        && bytes < BATCH_BYTES
        && let Ok(order) = queue.try_recv()
    {
        match order {
            Order::Job(job) => {
                bytes += job.bytes();
                ends = job.is_last();
                jobs.push(job);
            }
            Order::Replace(swap) => return (jobs, Some(swap)),
        }
    }
    (jobs, None)
}

fn next(queue: &Receiver<Order>, due: Option<Instant>) -> Result<Order, RecvTimeoutError> {
    match due {
        Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
        None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}
