//! The readers: a fixed number of read-only connections, each serving one snapshot at a time.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::connection;
use crate::fault::Fault;

/// Read-only connections.
pub(crate) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    free: Vec<Connection>,
    // Waking nobody is a system call all the same.
    waiting: usize,
}

impl Pool {
    /// Opens `count` readers, at least one.
    pub(crate) fn open(path: &Path, count: usize) -> Result<Self, Fault> {
        let free = (0..count.max(1)).map(|_| connection::reader(path)).collect::<Result<_, _>>()?;
        Ok(Self { state: Mutex::new(State { free, waiting: 0 }), returned: Condvar::new() })
    }

    /// Runs `work` inside one read transaction on the next free reader; waits for another read to end when all are in use.
    pub(crate) fn read<T, E: From<Fault>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let lease = Lease { pool: self, connection: Some(self.take()) };
        match &lease.connection {
            Some(connection) => {
                execute(connection, "BEGIN")?;
                work(connection)
            }
            None => Err(Fault::internal("a reader was lost").into()),
        }
    }

    fn take(&self) -> Connection {
        let mut state = self.state();
        loop {
            if let Some(connection) = state.free.pop() {
                return connection;
            }
            state.waiting += 1;
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    fn put_back(&self, connection: Connection) {
        let mut state = self.state();
        state.free.push(connection);
        if state.waiting > 0 {
            self.returned.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
