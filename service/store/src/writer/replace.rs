//! Another store takes the place of the one in use.

use std::fs;
use std::path::PathBuf;
use std::sync::Weak;
use std::sync::mpsc::{SyncSender, sync_channel};

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use super::Writer;
use super::queue::Order;
use super::sweep::Sweep;
use super::wal::Wal;
use crate::fault::Fault;

/// A file that is to become the store.
pub(crate) struct Swap {
    /// Closed, and all of it on the disk.
    from: PathBuf,
    /// Where the store in use is kept.
    kept: Option<PathBuf>,
    told: SyncSender<Result<(), Fault>>,
}

/// A way into the writer that does not keep it.
pub(crate) struct Entrance(pub(super) Weak<SyncSender<Order>>);

impl Entrance {
    /// Has the file at `from` become the store, and waits until it has. Nobody reads meanwhile.
    pub(crate) fn replace(&self, from: PathBuf, kept: Option<PathBuf>) -> Result<(), Fault> {
        let closed = || Fault(StoreError::Closed);
        let (told, receiver) = sync_channel(1);
        let orders = self.0.upgrade().ok_or_else(closed)?;
        orders.send(Order::Replace(Swap { from, kept, told })).map_err(|_| closed())?;
        drop(orders);
        receiver.recv().unwrap_or_else(|_| Err(closed()))
    }
}

impl Writer {
    pub(super) fn replace(&mut self, swap: Swap) {
        let Swap { from, kept, told } = swap;
        let replaced = match self.health.refusal() {
            Some(refusal) => Err(Fault(crate::fault::duplicate(refusal))),
            None => self.swap(&from, kept.as_ref()).map_err(|Fault(error)| Fault(self.directory.cause(error))),
        };
        if replaced.is_ok() {
            (self.wal, self.sweep) = (Wal::new(false), Sweep::new());
            log::info!("the store was replaced as a whole");
        }
        let _nobody_waits = told.send(replaced);
    }

    fn swap(&mut self, from: &PathBuf, kept: Option<&PathBuf>) -> Result<(), Fault> {
        // What is in the log would be lost, or come into another store.
        if !self.cut_log() {
            return Err(Fault::io("somebody still reads the store; retry"));
        }
        let used = std::mem::replace(&mut self.connection, Connection::open_in_memory()?);
        let closed = used.close().map_err(|(_, error)| Fault::from(error)).and_then(|()| self.check_no_log());
        let moved = closed.and_then(|()| {
            if let Some(kept) = kept {
                fs::hard_link(self.directory.vault(), kept)?;
            }
            fs::rename(from, self.directory.vault())?;
            self.directory.sync()
        });
        if moved.is_ok() {
            self.tally.forget();
        } else if let Some(kept) = kept {
            // It is the name of nothing else.
            crate::directory::remove_if_there(kept)?;
        }
        self.reopen();
        moved?;
        self.health.refusal().map_or(Ok(()), |refusal| Err(Fault(crate::fault::duplicate(refusal))))
    }

    fn check_no_log(&self) -> Result<(), Fault> {
        match self.directory.wal_bytes() {
            0 => crate::directory::remove_if_there(&self.directory.wal()),
            _ => Err(Fault::io("the log of the store could not be emptied; retry")),
        }
    }
}
