//! Jobs inside one transaction: a savepoint each, one commit for all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokenvault_core::port::{JobFailure, StoreError};

use super::Job;
use super::space::{Limit, Room};
use crate::fault::{Fault, duplicate};
use crate::tx::Tx;

/// How a job in a committed batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// What it wrote is durable.
    Written,
    /// It had nothing to write, or changed its mind; nothing of it was written.
    Unwritten,
    /// It would have made the database larger than it may be; nothing of it was written.
    TooLarge,
    /// It panicked; nothing of it was written.
    Panicked,
}

/// Runs all jobs, asks `check` and commits; where nothing was written, there is no commit to pay for. On an error nothing
/// of the batch is in the store, and every job may be run again.
pub(super) fn commit(
    connection: &Connection,
    jobs: &mut [Job],
    limit: Limit,
    check: impl FnOnce(&Connection) -> Result<(), Fault>,
) -> Result<Vec<Ended>, StoreError> {
    let result = execute(connection, "BEGIN IMMEDIATE").and_then(|()| {
        let ended = jobs.iter_mut().map(|job| run_one(connection, job, limit)).collect::<Result<Vec<_>, _>>()?;
        if ended.contains(&Ended::Written) {
            check(connection)?;
            execute(connection, "COMMIT")?;
        } else {
            // What a job wrote and undid is still marked for writing: a commit would put it into the log.
            execute(connection, "ROLLBACK")?;
        }
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
                Ended::Written | Ended::Unwritten => Ok(()),
                Ended::TooLarge => Err(StoreError::Limit),
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

fn run_one(connection: &Connection, job: &mut Job, limit: Limit) -> Result<Ended, Fault> {
    let (room, changes) = (Room::before(connection)?, connection.total_changes());
    execute(connection, "SAVEPOINT job")?;
    let mut tx = Tx::new(connection);
    // The panic's text is not logged: it may quote what the job held.
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
    if let Some(error) = tx.into_broken() {
        return Err(Fault(error));
    }
    let ended = match ran {
        Ok(Ok(())) if connection.total_changes() == changes => Ended::Unwritten,
        Ok(Ok(())) if limit.is_passed(connection, room, job.frees())? => Ended::TooLarge,
        Ok(Ok(())) => Ended::Written,
        Ok(Err(JobFailure)) => Ended::Unwritten,
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
