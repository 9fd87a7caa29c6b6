//! What is still written when there is no space: deletes and revocations, and what fits where deletes have left pages free.

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use super::batch::Ended;
use super::{Job, Writer, batch};
use crate::directory::Directory;
use crate::fault::Fault;
use crate::row::one;

/// Pages a delete may add to a database that has reached its size: SQLite sometimes splits a page to remove from it.
const SPARE_PAGES: u64 = 64;

/// The size the database may have. It is kept here and not by SQLite, whose answer would be that of a full disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pages: Option<u64>,
}

impl Limit {
    /// `store_bytes` 0: no limit.
    pub(super) fn new(connection: &Connection, store_bytes: u64) -> Result<Self, Fault> {
        let pages = match store_bytes {
            0 => None,
            bytes => Some(bytes / page_size(connection)?),
        };
        Ok(Self { pages })
    }

    /// Whether a job made the database grow beyond the limit. Pages that are free inside the file do not count, and what
    /// does not grow is never refused, also where the limit was lowered below the size of the file.
    pub(super) fn is_passed(self, connection: &Connection, before: Room, frees: bool) -> Result<bool, Fault> {
        let Some(limit) = self.pages else { return Ok(false) };
        let most = if frees { limit.saturating_add(SPARE_PAGES) } else { limit };
        let pages = page_count(connection)?;
        Ok(pages > before.pages && pages > most)
    }
}

/// The size of the database before a job or a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pages: u64,
}

impl Room {
    pub(super) fn before(connection: &Connection) -> Result<Self, Fault> {
        Ok(Self { pages: page_count(connection)? })
    }

    /// Refuses a batch that would fit into the log, but then not from the log into the database: a log that cannot be
    /// copied back holds its space for ever, and the deletes that could help would need still more of it.
    pub(super) fn check(self, connection: &Connection, directory: &Directory) -> Result<(), Fault> {
        let pages = page_count(connection)?;
        if pages <= self.pages {
            return Ok(());
        }
        let grown = (pages - self.pages) * page_size(connection)?;
        if grown + pending_bytes(connection, directory)? > directory.available()? {
            return Err(Fault(StoreError::Full));
        }
        Ok(())
    }

    /// Refuses a batch that makes the database grow at all.
    pub(super) fn check_kept(self, connection: &Connection) -> Result<(), Fault> {
        if page_count(connection)? > self.pages { Err(Fault(StoreError::Full)) } else { Ok(()) }
    }
}

/// Bytes by which the database file will grow when the log is copied into it.
pub(super) fn pending_bytes(connection: &Connection, directory: &Directory) -> Result<u64, Fault> {
    Ok((page_count(connection)? * page_size(connection)?).saturating_sub(directory.vault_bytes()))
}

/// Pages inside the database that hold nothing.
fn free_pages(connection: &Connection) -> Result<u64, Fault> {
    let pages: Option<u32> = one(connection, "PRAGMA freelist_count", [], |row| row.get(0))?;
    Ok(u64::from(pages.unwrap_or(0)))
}

fn page_count(connection: &Connection) -> Result<u64, Fault> {
    let pages: Option<u32> = one(connection, "PRAGMA page_count", [], |row| row.get(0))?;
    Ok(u64::from(pages.unwrap_or(0)))
}

fn page_size(connection: &Connection) -> Result<u64, Fault> {
    let bytes: Option<u32> = one(connection, "PRAGMA page_size", [], |row| row.get(0))?;
    Ok(u64::from(bytes.unwrap_or(0).max(512)))
}

impl Writer {
    /// Copies the log back and cuts it off, which frees its space; if the copy itself finds none, with that of the reserve.
    pub(super) fn make_room(&mut self) {
        let mut is_cut = self.cut_log();
        if !is_cut && self.reserve.release() {
            is_cut = self.cut_log();
            self.reserve.restore();
        }
        if !is_cut {
            self.shared.count_cramped();
        }
    }

    /// Refuses what grows while the reserve is given up and cannot be made again; the rest is returned.
    pub(super) fn let_through(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if self.reserve.restore() {
            return jobs;
        }
        let (freeing, growing): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.frees());
        batch::refuse(growing, &StoreError::Full);
        freeing
    }

    /// Runs what takes something away where there is no space left, in that of the reserve.
    fn attempt_with_reserve(&mut self, jobs: &mut [Job]) -> Result<Vec<Ended>, StoreError> {
        if !self.reserve.release() {
            return Err(StoreError::Full);
        }
        log::warn!("the disk is full: the reserve is given up for deletes");
        self.attempt(jobs)
    }

    /// Runs what finds its place in pages that deletes have left free inside the database, where there is no space for the log that
    /// leads there: the reserve lends it, and has it back when the log is copied, for which the database need not grow.
    fn attempt_inside(&mut self, jobs: &mut [Job]) -> Result<Vec<Ended>, StoreError> {
        // Nor while a reader keeps the log as it is: the reserve would not come back.
        if free_pages(&self.connection)? == 0 || !self.cut_log() || !self.reserve.release() {
            return Err(StoreError::Full);
        }
        let result = self.attempt_if(jobs, |room, connection, _| room.check_kept(connection));
        self.cut_log();
        self.reserve.restore();
        result
    }

    /// Runs a batch that found no space job by job, so that one large write does not fail its neighbours.
    pub(super) fn write_singly(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let freeing = job.frees();
            // What is left is for those who free.
            if !freeing && self.reserve.is_missing() {
                batch::finish_one(job, Err(StoreError::Full));
                continue;
            }
            let mut one = [job];
            let mut result = self.attempt(&mut one);
            if matches!(result, Err(StoreError::Full)) {
                result = if freeing { self.attempt_with_reserve(&mut one) } else { self.attempt_inside(&mut one) };
            }
            let [job] = one;
            match result {
                Ok(ended) => batch::finish(vec![job], &ended),
                Err(StoreError::Full) => batch::finish_one(job, Err(StoreError::Full)),
                Err(error) => return self.fail(std::iter::once(job).chain(jobs).collect(), &error),
            }
        }
    }
}
