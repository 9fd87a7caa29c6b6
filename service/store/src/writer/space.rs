//! What is still written when there is no space: deletes and revocations, nothing that grows.

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use super::{Job, Writer, batch};
use crate::fault::Fault;

/// Pages a delete may add to a database that has reached its size: SQLite sometimes splits a page to remove from it.
const SPARE_PAGES: u64 = 64;

/// SQLite's own bound.
const MOST_PAGES: u64 = 0xffff_fffe;

/// The size the database may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pages: u64,
}

impl Limit {
    /// `store_bytes` 0: no limit.
    pub(super) fn new(connection: &Connection, store_bytes: u64) -> Result<Self, Fault> {
        let page: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = match store_bytes {
            0 => MOST_PAGES,
            bytes => (bytes / u64::from(page.max(1))).clamp(1, MOST_PAGES),
        };
        Ok(Self { pages })
    }

    /// Holds the connection to the limit. Pages that are free inside the file do not count.
    pub(super) fn apply(self, connection: &Connection) -> Result<(), Fault> {
        set_most_pages(connection, self.pages)
    }

    fn lift(self, connection: &Connection) -> Result<(), Fault> {
        set_most_pages(connection, (self.pages + SPARE_PAGES).min(MOST_PAGES))
    }
}

fn set_most_pages(connection: &Connection, pages: u64) -> Result<(), Fault> {
    Ok(connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?)
}

impl Writer {
    /// Refuses what grows while the reserve is given up and cannot be made again; the rest is returned.
    pub(super) fn let_through(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if self.reserve.restore() {
            return jobs;
        }
        let (freeing, growing): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.frees());
        batch::refuse(growing, &StoreError::Full);
        freeing
    }

    /// Runs a batch that found no space job by job, so that one large write does not fail its neighbours.
    pub(super) fn write_singly(&mut self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let mut one = [job];
            let mut result = self.attempt(&mut one);
            if matches!(result, Err(StoreError::Full)) && one.iter().any(|job| job.frees()) {
                result = self.attempt_with_reserve(&mut one);
            }
            let [job] = one;
            match result {
                Ok(ended) => batch::finish(vec![job], &ended),
                Err(StoreError::Full) => batch::finish_one(job, Err(StoreError::Full)),
                Err(error) => return self.fail(std::iter::once(job).chain(jobs).collect(), &error),
            }
        }
    }

    /// Tries again beyond the store's size, then with the space of the reserve.
    fn attempt_with_reserve(&mut self, one: &mut [Job]) -> Result<Vec<batch::Ended>, StoreError> {
        self.limit.lift(&self.connection)?;
        let mut result = self.attempt(one);
        if matches!(result, Err(StoreError::Full)) && self.reserve.release() {
            log::warn!("the disk is full: the reserve is given up for deletes");
            result = self.attempt(one);
        }
        self.limit.apply(&self.connection)?;
        result
    }
}
