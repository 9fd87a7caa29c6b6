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
use crate::replacement::remove_left_over;

/// A file that is to become the store.
pub(crate) struct Swap {
    /// Closed, and all of it on the disk.
    from: PathBuf,
    /// Where the store in use is kept.
    kept: Option<PathBuf>,
    told: SyncSender<Result<Option<Fault>, Fault>>,
}

/// A way into the writer that does not keep it.
pub(crate) struct Entrance(pub(super) Weak<SyncSender<Order>>);

impl Entrance {
    /// Has the file at `from` become the store, and waits until it has; why that cannot be used, if so. Nobody reads meanwhile.
    ///
    /// # Errors
    /// The store is still the one that was.
    pub(crate) fn replace(&self, from: PathBuf, kept: Option<PathBuf>) -> Result<Option<Fault>, Fault> {
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
        self.tell();
        let _nobody_waits = told.send(replaced);
    }

    fn swap(&mut self, from: &PathBuf, kept: Option<&PathBuf>) -> Result<Option<Fault>, Fault> {
        // What is in the log would be lost, or come into another store.
        if !self.cut_log() {
            return Err(Fault::io("somebody still reads the store; retry"));
        }
        // While there are descriptors: once the name is that of another store nothing may fail for want of one.
        let names = self.directory.names()?;
        let used = std::mem::replace(&mut self.connection, Connection::open_in_memory()?);
        let closed = used.close().map_err(|(_, error)| Fault::from(error)).and_then(|()| self.check_no_log());
        let moved = closed.and_then(|()| {
            if let Some(kept) = kept {
                fs::hard_link(self.directory.vault(), kept)?;
            }
            // That the old log is gone first of all: no log may meet another store than its own.
            names.sync_all()?;
            Ok(fs::rename(from, self.directory.vault())?)
        });
        if moved.is_ok() {
            self.tally.forget();
        } else if let Err(Fault(error)) = remove_left_over(&self.directory) {
            log::warn!("a store that did not take the place of another could not be removed: {error}");
        }
        self.reopen();
        moved?;
        // The name is that of the other store from here on, whatever the disk says.
        if let Err(error) = names.sync_all() {
            self.health.give_up(&StoreError::Io(format!("its new name may not be on the disk: {error}")));
        }
        Ok(self.health.reason().map(Fault::io))
    }

    fn check_no_log(&self) -> Result<(), Fault> {
        match self.directory.wal_bytes() {
            0 => crate::directory::remove_if_there(&self.directory.wal()),
            _ => Err(Fault::io("the log of the store could not be emptied; retry")),
        }
    }
}
