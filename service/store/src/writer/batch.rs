//! Jobs inside one transaction: a savepoint each, one commit for all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokenvault_core::port::{JobFailure, MetaKey, ReadTx as _, StoreError, WriteTx as _};

use super::Job;
use super::space::{Limit, Room};
use crate::fault::{Fault, duplicate};
use crate::tally::Tally;
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
    /// It changed rows that nobody accounts for any more; nothing of it was written.
    Unaccounted,
}

/// Runs all jobs, asks `check` and commits; where nothing was written, there is no commit to pay for. On an error nothing
/// of the batch is in the store, and every job may be run again.
pub(super) fn commit(
    connection: &Connection,
    tally: &Tally,
    jobs: &mut [Job],
    limit: Limit,
    check: impl FnOnce(&Connection) -> Result<(), Fault>,
) -> Result<Vec<Ended>, StoreError> {
    let before = tally.mark();
    let result = execute(connection, "BEGIN IMMEDIATE").and_then(|()| {
        let run = |job: &mut Job| run_one(connection, tally, job, limit);
        let ended = jobs.iter_mut().map(run).collect::<Result<Vec<_>, _>>()?;
        if ended.contains(&Ended::Written) {
            keep_sum(connection, tally)?;
            check(connection)?;
            execute(connection, "COMMIT")?;
        } else {
            // What a job wrote and undid is still marked for writing: a commit would put it into the log.
            execute(connection, "ROLLBACK")?;
        }
        Ok(ended)
    });
    if result.is_err() {
        tally.go_back(before);
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "ROLLBACK")
        {
            log::warn!("a failed batch could not be rolled back: {}", error.0);
        }
    }
    Ok(result?)
}

/// Has the sum over the rows written down by who accounts for them.
fn keep_sum(connection: &Connection, tally: &Tally) -> Result<(), Fault> {
    let mut tx = Tx::writing(connection, tally);
    let kept = tx.keep_rows();
    tx.into_broken().map_or(kept, Err).map_err(Fault)
}

/// Whether rows were changed of which there is a sum, and that would not be in it.
fn is_unaccounted(connection: &Connection, tally: &Tally) -> Result<bool, Fault> {
    Ok(tally.has_strays() && Tx::new(connection).meta(MetaKey::RowSum).map_err(Fault)?.is_some())
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
                Ended::Unaccounted => Err(StoreError::Internal("rows were changed that nobody accounts for".into())),
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

fn run_one(connection: &Connection, tally: &Tally, job: &mut Job, limit: Limit) -> Result<Ended, Fault> {
    let (room, changes, before) = (Room::before(connection)?, connection.total_changes(), tally.mark());
    execute(connection, "SAVEPOINT job")?;
    let mut tx = Tx::writing(connection, tally);
    // The panic's text is not logged: it may quote what the job held.
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
    if let Some(error) = tx.into_broken() {
        return Err(Fault(error));
    }
    let ended = match ran {
        Ok(Ok(())) if connection.total_changes() == changes => {
            // It may have found somebody who accounts for the rows from here on.
            execute(connection, "RELEASE job")?;
            return Ok(Ended::Unwritten);
        }
        Ok(Ok(())) if is_unaccounted(connection, tally)? => Ended::Unaccounted,
        Ok(Ok(())) if limit.is_passed(connection, room, job.frees())? => Ended::TooLarge,
        Ok(Ok(())) => Ended::Written,
        Ok(Err(JobFailure)) => Ended::Unwritten,
        Err(_) => Ended::Panicked,
    };
    if ended != Ended::Written {
        tally.go_back(before);
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")?;
    Ok(ended)
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
