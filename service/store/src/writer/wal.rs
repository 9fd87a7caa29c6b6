//! Care of the write-ahead log: emptied soon after a delete, copied back when it is long or when there is nothing else to do.
//!
//! `secure_delete` overwrites a deleted row in the database, but the log still holds the page as it was. Only truncating
//! the log takes it away, and that needs every reader of an older snapshot to have ended.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use super::{Writer, space};
use crate::connection;
use crate::fault::{Fault, duplicate};

/// Deletes within this time share one truncation; it is also how often one is tried again beside a long reader.
const ERASE_AFTER: Duration = Duration::from_millis(100);

/// Without a write for this long, the log is copied back.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// On a full disk neither can be done at once; no sooner than this again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Pages in the log that are not yet in the database and make a checkpoint worth its fsync. New pages are copied sooner:
/// what the reserve holds must always be enough for them.
const LONG: i64 = 1000;

/// How long a truncation waits for readers. The writer writes nothing meanwhile.
const PATIENCE: Duration = Duration::from_millis(2);
const BUSY: Duration = Duration::from_millis(500);

/// What is to be done about the log, and when.
#[derive(Debug)]
pub(super) struct Wal {
    erase_at: Option<Instant>,
    copy_at: Option<Instant>,
}

impl Wal {
    /// `unclean`: the log may hold rows whose deletion was acknowledged.
    pub(super) fn new(unclean: bool) -> Self {
        Self { erase_at: unclean.then(Instant::now), copy_at: None }
    }

    /// When the writer should look here next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.erase_at.into_iter().chain(self.copy_at).min()
    }

    /// Takes note of a commit.
    pub(super) fn committed(&mut self, now: Instant, erases: bool) {
        if erases && self.erase_at.is_none() {
            self.erase_at = Some(now + ERASE_AFTER);
        }
        self.copy_at = Some(now + IDLE_AFTER);
    }
}

/// What SQLite says of the log after a checkpoint.
struct Checkpoint {
    blocked: bool,
    backlog: i64,
}

impl Writer {
    /// Does what is due; called after every batch and at [`Wal::due`].
    pub(super) fn tend(&mut self, now: Instant) {
        if self.health.refusal().is_some() {
            self.wal = Wal::new(false);
            return;
        }
        let result = if self.wal.erase_at.is_some_and(|at| at <= now) {
            self.erase(now)
        } else if self.wal.copy_at.is_some_and(|at| at <= now) {
            self.wal.copy_at = None;
            checkpoint(&self.connection, "PASSIVE").map(|_| ())
        } else {
            self.copy_when_long()
        };
        match result {
            Ok(()) => self.health.checkpointed(),
            Err(Fault(error)) => self.checkpoint_failed(now, &error),
        }
        // What the log had may be free now, and is gone when others have taken it.
        if self.reserve.is_missing() {
            self.reserve.restore();
        }
    }

    /// Empties the log at the end of the store's life; what cannot be done is done at the next start.
    pub(super) fn tend_last(&mut self) {
        if self.health.is_damaged()
            && let Err(error) = connection::leave_log(&self.connection)
        {
            log::warn!("the log of the damaged store may not stay as it is: {error}");
        }
        if self.health.refusal().is_none()
            && let Err(error) = checkpoint(&self.connection, "TRUNCATE")
        {
            log::warn!("the log could not be emptied at the end: {}", error.0);
        }
    }

    fn erase(&mut self, now: Instant) -> Result<(), Fault> {
        self.connection.busy_timeout(PATIENCE)?;
        let result = checkpoint(&self.connection, "TRUNCATE");
        self.connection.busy_timeout(BUSY)?;
        if result?.blocked {
            self.wal.erase_at = Some(now + ERASE_AFTER);
        } else {
            self.wal = Wal { erase_at: None, copy_at: None };
            self.shared.count_erasure();
        }
        Ok(())
    }

    fn copy_when_long(&mut self) -> Result<(), Fault> {
        let pending = space::pending_bytes(&self.connection, &self.directory)?;
        if pending > self.reserve.most_pending() || checkpoint(&self.connection, "NOOP")?.backlog >= LONG {
            checkpoint(&self.connection, "PASSIVE")?;
        }
        Ok(())
    }

    /// Empties the log to free its space; whether that could be done.
    pub(super) fn cut_log(&self) -> bool {
        match checkpoint(&self.connection, "TRUNCATE") {
            Ok(done) => !done.blocked,
            Err(Fault(error)) => {
                log::warn!("the log could not be emptied to make room: {error}");
                false
            }
        }
    }

    fn checkpoint_failed(&mut self, now: Instant, error: &StoreError) {
        log::error!("the log could not be copied into the database: {error}");
        let later = |at: Option<Instant>| at.map(|at| at.max(now + RETRY_AFTER));
        self.wal = Wal { erase_at: later(self.wal.erase_at), copy_at: Some(now + RETRY_AFTER) };
        let cause = self.directory.cause(duplicate(error));
        if self.health.checkpoint_failed(&cause) {
            self.reopen();
        }
        self.tell();
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> Result<Checkpoint, Fault> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    Ok(statement.query_row([], |row| {
        let (log, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Checkpoint { blocked: row.get::<_, i64>(0)? != 0, backlog: log - copied })
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_emptied_within_a_second_of_a_delete_however_many_writes_follow() {
        let begin = Instant::now();
        let mut wal = Wal::new(false);
        wal.committed(begin, true);
        for tenths in 1..10 {
            wal.committed(begin + Duration::from_millis(100) * tenths, tenths % 2 == 0);
        }
        assert!(wal.due().is_some_and(|at| at < begin + Duration::from_secs(1)));
        assert!(wal.erase_at == wal.due(), "it is no copying back that comes then");
    }
}
