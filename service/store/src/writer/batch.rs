//! Jobs inside one transaction: a savepoint each, one commit for all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokenvault_core::port::{JobFailure, StoreError};

use super::Job;
use crate::fault::{Fault, duplicate};
use crate::tx::Tx;

/// How a job in a committed batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// What it wrote is durable.
    Written,
    /// It changed its mind; nothing of it was written.
    Undone,
    /// It panicked; nothing of it was written.
    Panicked,
}

/// Runs all jobs, asks `check` and commits. On an error nothing of the batch is in the store, and every job may be run
/// again.
pub(super) fn commit(
    connection: &Connection,
    jobs: &mut [Job],
    check: impl FnOnce(&Connection) -> Result<(), Fault>,
) -> Result<Vec<Ended>, StoreError> {
    let result = execute(connection, "BEGIN IMMEDIATE").and_then(|()| {
        let ended = jobs.iter_mut().map(|job| run_one(connection, job)).collect::<Result<Vec<_>, _>>()?;
        check(connection)?;
        execute(connection, "COMMIT")?;
        Ok(ended)
    });
    if result.is_err()
        && !connection.is_autocommit()
        && let Err(error) = execute(connection, "ROLLBACK")
    {
        log::warn!("a failed batch could not be rolled back: {}", error.0);
    }
    Ok(result?)
}

/// Whether a batch that was committed removed something that must not stay in the log.
pub(super) fn erases(jobs: &[Job], ended: &[Ended]) -> bool {
    jobs.iter().zip(ended).any(|(job, end)| *end == Ended::Written && job.erases())
}

/// Tells the jobs of a committed batch, in order.
pub(super) fn finish(jobs: Vec<Job>, ended: &[Ended]) {
    for (job, end) in jobs.into_iter().zip(ended) {
        finish_one(
            job,
            match end {
                Ended::Written | Ended::Undone => Ok(()),
                Ended::Panicked => Err(StoreError::Internal("a write ended unexpectedly and was undone".into())),
            },
        );
    }
}

/// Tells every job the same error, in order.
pub(super) fn refuse(jobs: impl IntoIterator<Item = Job>, error: &StoreError) {
    for job in jobs {
        finish_one(job, Err(duplicate(error)));
    }
}

/// Tells one job. A panic of the job's own must not end the writer.
pub(super) fn finish_one(job: Job, result: Result<(), StoreError>) {
    if catch_unwind(AssertUnwindSafe(|| job.finish(result))).is_err() {
        log::error!("a write job panicked while it was told its result");
    }
}

fn run_one(connection: &Connection, job: &mut Job) -> Result<Ended, Fault> {
    execute(connection, "SAVEPOINT job")?;
    let mut tx = Tx::new(connection);
    // The panic's text is not logged: it may quote what the job held.
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
    if let Some(error) = tx.into_broken() {
        return Err(Fault(error));
    }
    let ended = match ran {
        Ok(Ok(())) => Ended::Written,
        Ok(Err(JobFailure)) => Ended::Undone,
        Err(_) => Ended::Panicked,
    };
    if ended != Ended::Written {
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")?;
    Ok(ended)
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
