//! The readers: a fixed number of read-only connections, each serving one snapshot at a time.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use crate::connection;
use crate::fault::{Fault, duplicate};

/// How long those who read have to end before the file is exchanged.
const PATIENCE: Duration = Duration::from_secs(10);

/// Read-only connections.
pub(crate) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    free: Vec<Connection>,
    /// How many there are, in use or not.
    all: usize,
    /// Others who read the file through connections of their own.
    visitors: usize,
    /// Whether the file is about to be exchanged: nobody else begins to do so.
    is_claimed: bool,
    /// Whether the file is being exchanged: nobody begins to read.
    is_drained: bool,
    /// Why there are none any more.
    lost: Option<StoreError>,
    // Waking nobody is a system call all the same.
    waiting: usize,
}

impl Pool {
    /// Opens `count` readers, at least one.
    pub(crate) fn open(path: &Path, count: usize) -> Result<Self, Fault> {
        let all = count.max(1);
        let state = State {
            free: open(path, all)?,
            all,
            visitors: 0,
            is_claimed: false,
            is_drained: false,
            lost: None,
            waiting: 0,
        };
        Ok(Self { state: Mutex::new(state), returned: Condvar::new() })
    }

    /// Runs `work` inside one read transaction on the next free reader; waits for another read to end when all are in use.
    pub(crate) fn read<T, E: From<Fault>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let lease = Lease { pool: self, connection: Some(self.take()?) };
        match &lease.connection {
            Some(connection) => {
                execute(connection, "BEGIN")?;
                work(connection)
            }
            None => Err(Fault::internal("a reader was lost").into()),
        }
    }

    /// Somebody reads the file through a connection of his own, until this is dropped.
    pub(crate) fn visit(&self) -> Visit<'_> {
        let mut state = self.state();
        while state.is_claimed {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.visitors += 1;
        Visit(self)
    }

    /// Closes all readers, once they are done; nobody reads until they are opened again.
    pub(crate) fn drain(&self) -> Result<Drained<'_>, Fault> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        if state.is_claimed {
            return Err(Fault::internal("the store is being exchanged already"));
        }
        state.is_claimed = true;
        while state.free.len() < state.all || state.visitors > 0 {
            // Visitors may take long: others go on reading until they are gone.
            state.is_drained = state.visitors == 0;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                (state.is_claimed, state.is_drained) = (false, false);
                self.returned.notify_all();
                return Err(Fault::io("somebody still reads the store; retry in a moment"));
            }
            state.waiting += 1;
            state = self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        state.is_drained = true;
        state.free.clear();
        Ok(Drained(self))
    }

    fn take(&self) -> Result<Connection, Fault> {
        let mut state = self.state();
        loop {
            if let Some(error) = &state.lost {
                return Err(Fault(duplicate(error)));
            }
            if !state.is_drained
                && let Some(connection) = state.free.pop()
            {
                return Ok(connection);
            }
            state.waiting += 1;
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    fn put_back(&self, connection: Connection) {
        let mut state = self.state();
        state.free.push(connection);
        if state.is_claimed {
            self.returned.notify_all();
        } else if state.waiting > 0 {
            self.returned.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who reads the file in another way.
pub(crate) struct Visit<'p>(&'p Pool);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.state().visitors -= 1;
        self.0.returned.notify_all();
    }
}

/// A pool without readers.
pub(crate) struct Drained<'p>(&'p Pool);

impl Drained<'_> {
    /// Opens them again, on the file that has the name now.
    pub(crate) fn refill(&mut self, path: &Path) -> Result<(), Fault> {
        let all = self.0.state().all;
        let free = open(path, all)?;
        self.0.state().free = free;
        Ok(())
    }
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.free.is_empty() {
            state.lost = Some(StoreError::Io("its file could not be opened again; restart tokenvaultd".into()));
        }
        (state.is_claimed, state.is_drained) = (false, false);
        self.0.returned.notify_all();
    }
}

fn open(path: &Path, count: usize) -> Result<Vec<Connection>, Fault> {
    (0..count).map(|_| connection::reader(path)).collect()
}

/// A reader in use. Dropping it, also while unwinding, ends its transaction and puts it back.
struct Lease<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A transaction left open would keep its snapshot, and with it the deleted rows in the log.
        if !connection.is_autocommit()
            && let Err(error) = execute(&connection, "COMMIT")
        {
            log::warn!("a read transaction could not be ended: {}", error.0);
        }
        self.pool.put_back(connection);
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
