//! A store that is put together beside the one in use, and takes its place by one rename.
//!
//! Until then it is a file of its own that nobody reads, so nothing of what goes into it can be found in the store in use, whatever
//! goes wrong. A machine that stops at the rename has the one or the other.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Weak};

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};
use tokenvault_core::port::{Cell, Replacement, StoreError, Taken, WriteTx};

use crate::connection;
use crate::directory::{self, Directory};
use crate::dump::{self, NUMBERS};
use crate::fault::Fault;
use crate::identity::{self, APPLICATION_ID};
use crate::migration::{self, SCHEMA};
use crate::pool::Pool;
use crate::tally::Tally;
use crate::tx::Tx;
use crate::verify;
use crate::writer::Entrance;

/// Most stores that are kept.
const KEPT_MAX: u32 = 1000;

/// Rows of one commit.
const STEP: u64 = 4096;

const SUFFIXES: [&str; 4] = [".restored", ".restored-wal", ".restored-shm", ".restored-journal"];

/// Removes what is left of one that was never finished.
pub(crate) fn remove_left_over(directory: &Directory) -> Result<(), Fault> {
    SUFFIXES.iter().try_for_each(|suffix| directory::remove_if_there(&directory.beside(suffix)))?;
    // Stopped just before the rename: what was to be kept is still the store itself, under a second name.
    let vault = fs::symlink_metadata(directory.vault())?;
    if vault.nlink() > 1 {
        for path in (1..=KEPT_MAX).map(|number| directory.beside(&kept_name(number))) {
            if fs::symlink_metadata(&path).is_ok_and(|kept| (kept.dev(), kept.ino()) == (vault.dev(), vault.ino())) {
                directory::remove_if_there(&path)?;
            }
        }
    }
    Ok(())
}

fn kept_name(number: u32) -> String {
    format!(".replaced-{number}")
}

/// One that is being put together.
pub(crate) struct SqliteReplacement {
    /// `None` once it is closed.
    connection: Option<Connection>,
    tally: Tally,
    directory: Arc<Directory>,
    pool: Weak<Pool>,
    writer: Entrance,
    /// The statement that adds a row to the table in turn, and how many columns that has.
    insert: (String, usize),
    rows: u64,
}

impl SqliteReplacement {
    /// An empty one.
    pub(crate) fn begin(
        directory: &Arc<Directory>,
        pool: &Arc<Pool>,
        writer: Entrance,
        schema: u32,
    ) -> Result<Self, Fault> {
        if !(1..=SCHEMA).contains(&schema) {
            return Err(Fault(StoreError::Newer { found: schema, known: SCHEMA }));
        }
        remove_left_over(directory)?;
        let path = directory.beside(".restored");
        directory::create_private(&path)?;
        // Dropped from here on, it leaves nothing.
        let mut new = Self {
            connection: None,
            tally: Tally::default(),
            directory: Arc::clone(directory),
            pool: Arc::downgrade(pool),
            writer,
            insert: Default::default(),
            rows: 0,
        };
        let mut connection = connection::look(&path)?;
        // Nobody was told of anything in it before it is synchronised as a whole. Rows come in the order of tables, and who belongs to
        // whom is checked at the end.
        connection
            .execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        migration::build_up_to(&mut connection, schema)?;
        connection.execute_batch("BEGIN")?;
        new.connection = Some(connection);
        Ok(new)
    }

    fn connection(&self) -> Result<&Connection, Fault> {
        self.connection.as_ref().ok_or_else(|| Fault::internal("the store that was put together is closed"))
    }

    fn prepare_table(&mut self, name: &str, columns: &[&str]) -> Result<(), Fault> {
        let connection = self.connection()?;
        let ours = dump::columns(connection, name)?;
        // Only what the schema itself names comes into a statement.
        if ours.is_empty() || ours != columns || (name.starts_with("sqlite_") && name != NUMBERS) {
            return Err(Fault::corrupt("there is a table that its schema does not have"));
        }
        if name == NUMBERS {
            // The rows that came before have left numbers of their own.
            connection.execute("DELETE FROM sqlite_sequence", [])?;
        }
        let places = vec!["?"; ours.len()].join(", ");
        self.insert = (format!("INSERT INTO {name} ({}) VALUES ({places})", ours.join(", ")), ours.len());
        Ok(())
    }

    fn insert_row(&mut self, cells: &[Cell<'_>]) -> Result<(), Fault> {
        let connection = self.connection()?;
        if cells.len() != self.insert.1 {
            return Err(Fault::corrupt("a row has not the columns of its table"));
        }
        let inserted = connection.prepare_cached(&self.insert.0)?.execute(params_from_iter(cells.iter().map(Column)));
        inserted.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation | rusqlite::ErrorCode::TypeMismatch) => {
                Fault::corrupt(format!("a row cannot stand in its table: {error}"))
            }
            _ => error.into(),
        })?;
        self.rows += 1;
        if self.rows.is_multiple_of(STEP) {
            self.connection()?.execute_batch("COMMIT; BEGIN")?;
        }
        Ok(())
    }

    fn bring_up(&mut self) -> Result<(), Fault> {
        let connection = self.connection.as_mut().ok_or_else(|| Fault::internal("it is closed"))?;
        connection.execute_batch("COMMIT")?;
        migration::run_rest(connection)?;
        identity::check_contents(connection)?;
        identity::check_schema(connection)?;
        verify::structure(connection)?;
        connection.execute_batch("COMMIT; PRAGMA foreign_keys = ON")?;
        self.tally.follow(connection)
    }

    /// Closes it as a store that was made here closes: one file, and all of it on the disk.
    fn close(&mut self) -> Result<(), Fault> {
        let connection = self.connection.take().ok_or_else(|| Fault::internal("it is closed"))?;
        connection::own(&connection)?;
        connection.close().map_err(|(_, error)| error)?;
        let path = self.directory.beside(".restored");
        File::open(&path)?.sync_all()?;
        Ok(())
    }
}

impl Replacement for SqliteReplacement {
    fn begin_table(&mut self, name: &str, columns: &[&str]) -> Result<(), StoreError> {
        self.prepare_table(name, columns).map_err(|Fault(error)| self.directory.cause(error))
    }

    fn insert(&mut self, cells: &[Cell<'_>]) -> Result<(), StoreError> {
        self.insert_row(cells).map_err(|Fault(error)| self.directory.cause(error))
    }

    fn complete(&mut self) -> Result<(), StoreError> {
        self.bring_up().map_err(|Fault(error)| self.directory.cause(error))
    }

    fn write(&mut self, work: &mut dyn FnMut(&mut dyn WriteTx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let connection = self.connection()?;
        execute(connection, "BEGIN IMMEDIATE")?;
        let mut tx = Tx::writing(connection, &self.tally);
        let done = work(&mut tx).and_then(|()| tx.keep_rows());
        let done = tx.into_broken().map_or(done, Err);
        match done {
            Ok(()) => Ok(execute(connection, "COMMIT")?),
            Err(error) => {
                if !connection.is_autocommit() {
                    execute(connection, "ROLLBACK")?;
                }
                Err(self.directory.cause(error))
            }
        }
    }

    fn take_place(mut self: Box<Self>, keep: bool) -> Result<Taken, StoreError> {
        self.close().map_err(|Fault(error)| self.directory.cause(error))?;
        let pool = self.pool.upgrade().ok_or(StoreError::Closed)?;
        let restored = self.directory.beside(".restored");
        let kept = keep.then(|| free_name(&self.directory)).transpose()?;
        let mut drained = pool.drain()?;
        let replaced = self.writer.replace(restored, kept.as_ref().map(|name| self.directory.beside(name)));
        // Of the one store or the other.
        let refilled = drained.refill(&self.directory.vault());
        let unusable = replaced?.or(refilled.err()).map(|Fault(error)| self.directory.cause(error));
        Ok(Taken { kept: kept.map(|suffix| format!("vault.db{suffix}")), unusable })
    }
}

impl Drop for SqliteReplacement {
    fn drop(&mut self) {
        drop(self.connection.take());
        if let Err(Fault(error)) = remove_left_over(&self.directory) {
            log::warn!("a store that was put together and not taken could not be removed: {error}");
        }
    }
}

/// A suffix that no store was kept under.
fn free_name(directory: &Directory) -> Result<String, Fault> {
    let mut names = (1..=KEPT_MAX).map(kept_name);
    let free = names.find(|name| fs::symlink_metadata(directory.beside(name)).is_err());
    free.ok_or_else(|| Fault::io("a thousand stores were kept already; remove some of vault.db.replaced-*"))
}

struct Column<'a>(&'a Cell<'a>);

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Fault> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
