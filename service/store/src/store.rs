//! The store as the domain sees it, put together from its parts.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokenvault_core::port::{ReadTx, Replacement, Store, StoreCounters, StoreError, StoreStatus, WriteJob};

use crate::connection;
use crate::create;
use crate::directory::Directory;
use crate::fault::Fault;
use crate::identity;
use crate::migration::{self, SCHEMA};
use crate::options::StoreOptions;
use crate::pool::Pool;
use crate::replacement::{self, SqliteReplacement};
use crate::reserve::Reserve;
use crate::status::Shared;
use crate::tx::Tx;
use crate::verify;
use crate::writer::{Queue, Writer};

/// The vault's rows in a SQLite file. Dropping it writes what was queued and closes the file.
pub struct SqliteStore {
    // Dropped in this order: readers first, so that the writer closes the last connection and with it the log; the lock
    // on the directory goes when everything else has gone.
    pool: Arc<Pool>,
    queue: Queue,
    shared: Arc<Shared>,
    directory: Arc<Directory>,
}

impl SqliteStore {
    /// Opens the store in `dir`, or makes an empty one where there is none. Only what is cheap is checked here; see
    /// [`SqliteStore::verify_structure`].
    ///
    /// # Errors
    /// `Held` by another daemon; `Newer` schema; `Corrupt` for a file that is damaged or not a store; `ReadOnly`, `Full` or
    /// `Io` when the directory cannot be used, the text saying what to do. Whatever was found is left as it was.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        connection::check_library()?;
        let directory = Arc::new(Directory::claim(dir)?);
        let mut reserve = Reserve::new(directory.beside(".reserve"), options.reserve_bytes);
        let connect = || connect(&directory, options.readers).map_err(|Fault(error)| directory.cause(error));
        let (writer, pool) = match connect() {
            // Even looking needs a little space, for the index of the log.
            Err(StoreError::Full) if reserve.release() => connect()?,
            other => other?,
        };
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(writer, Arc::clone(&directory), Arc::clone(&shared), reserve, options.store_bytes)?;
        let pool = Arc::new(pool);
        Ok(Self { pool, queue: Queue::start(writer, options.queue)?, shared, directory })
    }

    /// Reads the whole file and checks its structure: seconds for a large store, so it is called after the vault serves.
    /// Deleted rows stay in the log until it returns. Where damage is found, nothing is read or written afterwards.
    ///
    /// # Errors
    /// `Corrupt` names what is wrong; `Io` when the file could not be read.
    pub fn verify_structure(&self) -> Result<(), StoreError> {
        let _visit = self.pool.visit();
        let verified = connection::reader(&self.directory.vault()).and_then(|reader| verify::structure(&reader));
        Ok(verified.inspect_err(|Fault(error)| self.shared.heed(error))?)
    }
}

impl Store for SqliteStore {
    fn read(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.shared.check_whole()?;
        self.pool.read(|connection| run(connection, work)).inspect_err(|Fault(error)| self.shared.heed(error))?
    }

    fn read_aside(&self, work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.shared.check_whole()?;
        let _visit = self.pool.visit();
        // Its transaction ends with the connection.
        let read = connection::reader(&self.directory.vault()).and_then(|connection| {
            connection.execute_batch("BEGIN")?;
            run(&connection, work)
        });
        read.inspect_err(|Fault(error)| self.shared.heed(error))?
    }

    fn submit(&self, job: Box<dyn WriteJob>) {
        self.queue.submit(job);
    }

    fn status(&self) -> StoreStatus {
        StoreStatus {
            read_only: self.shared.read_only(),
            damaged: self.shared.damaged().map(str::to_owned),
            disk_bytes: self.directory.disk_bytes(),
            cramped: self.shared.cramped(),
        }
    }

    fn counters(&self) -> StoreCounters {
        self.shared.counters()
    }

    fn schema(&self) -> u32 {
        SCHEMA
    }

    fn begin_replacement(&self, schema: u32) -> Result<Box<dyn Replacement>, StoreError> {
        let begun = SqliteReplacement::begin(&self.directory, &self.pool, self.queue.entrance(), schema);
        Ok(Box::new(begun.map_err(|Fault(error)| self.directory.cause(error))?))
    }
}

/// Runs work in the transaction of a reader.
fn run(
    connection: &Connection,
    work: &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>,
) -> Result<Result<(), StoreError>, Fault> {
    let tx = Tx::new(connection);
    let result = work(&tx);
    match tx.into_broken() {
        // Counts whatever the work made of it; damage that the work itself reports is not ours to judge.
        Some(error @ StoreError::Corrupt(_)) => Err(Fault(error)),
        _ => Ok(result),
    }
}

/// From a directory to a writing connection and the readers, everything checked.
fn connect(directory: &Directory, readers: usize) -> Result<(Connection, Pool), Fault> {
    if !identity::exists(directory)? {
        create::make(directory)?;
    }
    identity::check_file(directory)?;
    let mut writer = connection::look(&directory.vault())?;
    identity::check_contents(&writer)?;
    migration::upgrade(&mut writer, directory)?;
    identity::check_schema(&writer)?;
    connection::own(&writer)?;
    replacement::remove_left_over(directory)?;
    let pool = Pool::open(&directory.vault(), readers)?;
    Ok((writer, pool))
}
