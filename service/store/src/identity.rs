//! Whether a file is a store of ours, and of which schema. Looks only; changes nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::Connection;
use tokenvault_core::port::StoreError;

use crate::directory::Directory;
use crate::fault::Fault;
use crate::migration::{self, SCHEMA};

/// Marks a SQLite file as a store of tokenvault (`application_id`).
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"tkvt");

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;

const NEXT_STEP: &str = "nothing was changed; restore a backup, or move the file away to start an empty vault";

/// Whether there is a store. A log without its database is damage, not an empty directory.
pub(crate) fn exists(directory: &Directory) -> Result<bool, Fault> {
    match fs::symlink_metadata(directory.vault()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        Err(_) if directory.wal_bytes() > 0 => {
            Err(Fault::corrupt(format!("vault.db is missing beside its log vault.db-wal; {NEXT_STEP}")))
        }
        Err(_) => Ok(false),
    }
}

/// Judges the file by its first bytes, before SQLite touches it.
pub(crate) fn check_file(directory: &Directory) -> Result<(), Fault> {
    let path = directory.vault();
    let metadata = fs::symlink_metadata(&path)?;
    if !metadata.is_file() {
        return Err(Fault::corrupt(format!("vault.db is not a regular file; {NEXT_STEP}")));
    }
    // A store is always in WAL mode: a rollback journal is not ours, and SQLite would play it back into the file.
    if fs::symlink_metadata(directory.beside("-journal")).is_ok() {
        return Err(Fault::corrupt(format!("a foreign vault.db-journal lies beside vault.db; {NEXT_STEP}")));
    }
    if metadata.len() == 0 {
        return Err(Fault::corrupt(format!("vault.db is empty; {NEXT_STEP}")));
    }
    let header = read_header(&path)?;
    if !header.starts_with(MAGIC) {
        return Err(Fault::corrupt(format!("vault.db is not a database; {NEXT_STEP}")));
    }
    check_numbers(number(&header, APPLICATION_ID_AT), number(&header, USER_VERSION_AT))
}

/// Judges the store as SQLite sees it, log included.
pub(crate) fn check_contents(connection: &Connection) -> Result<(), Fault> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
    check_numbers(pragma("application_id")?, pragma("user_version")?)
}

/// Compares every table, index, view and trigger with what the migrations make.
pub(crate) fn check_schema(connection: &Connection) -> Result<(), Fault> {
    let mut ours = Connection::open_in_memory()?;
    migration::build(&mut ours)?;
    if objects(&ours)? != objects(connection)? {
        return Err(Fault::corrupt(format!("the tables are not those of schema {SCHEMA}; {NEXT_STEP}")));
    }
    Ok(())
}

fn check_numbers(application_id: i32, user_version: i32) -> Result<(), Fault> {
    if application_id != APPLICATION_ID {
        return Err(Fault::corrupt(format!("vault.db belongs to another program; {NEXT_STEP}")));
    }
    match u32::try_from(user_version) {
        Ok(found) if found > SCHEMA => Err(Fault(StoreError::Newer { found, known: SCHEMA })),
        Ok(1..) => Ok(()),
        _ => Err(Fault::corrupt(format!("vault.db has no valid schema number; {NEXT_STEP}"))),
    }
}

fn read_header(path: &Path) -> Result<[u8; HEADER], Fault> {
    let mut header = [0; HEADER];
    match File::open(path)?.read_exact(&mut header) {
        Ok(()) => Ok(header),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Fault::corrupt(format!("vault.db is cut off; {NEXT_STEP}")))
        }
        Err(error) => Err(error.into()),
    }
}

fn number(header: &[u8; HEADER], at: usize) -> i32 {
    let bytes = header.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    bytes.map_or(0, i32::from_be_bytes)
}

type Object = (String, String, String, Option<String>);

fn objects(connection: &Connection) -> Result<Vec<Object>, Fault> {
    let mut statement = connection.prepare(
        // The planner's statistics are not part of the schema.
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat_' ESCAPE '\\' \
         ORDER BY type, name",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
