//! Opening SQLite connections: flags and settings, the same for every connection of the store.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::fault::Fault;

/// Older libraries can corrupt a write-ahead log that two connections use (WAL-reset bug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Pages cached by a reader (KiB): the inner pages of the trees for some hundred thousand tokens.
const READER_CACHE_KIB: i64 = 1024;
const WRITER_CACHE_KIB: i64 = 4096;

/// The log file is cut back to this when it is restarted after a burst.
const LOG_KEPT_BYTES: i64 = 16 << 20;

/// Nobody but the store opens the file, so a lock held for longer than this is a foreign program's.
const BUSY: Duration = Duration::from_millis(500);

const STATEMENTS: usize = 64;

/// Refuses a library that could damage the file.
pub(crate) fn check_library() -> Result<(), Fault> {
    let found = rusqlite::version_number();
    if found < OLDEST_SQLITE {
        return Err(Fault::internal(format!(
            "SQLite {} can corrupt the store; build with SQLite 3.51.3 or newer",
            rusqlite::version()
        )));
    }
    Ok(())
}

/// A connection for looking at a file of unknown origin. Closing it changes nothing, until [`own`] is called.
pub(crate) fn look(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    // A log that was found stays as it is; an empty one that SQLite makes for looking goes when the connection closes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log(path))?;
    harden(&connection)?;
    Ok(connection)
}

/// Makes a connection that was used to look the writing one.
pub(crate) fn own(connection: &Connection) -> Result<(), Fault> {
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA journal_size_limit = {LOG_KEPT_BYTES};
         PRAGMA cache_size = -{WRITER_CACHE_KIB};"
    ))?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::internal(format!("SQLite keeps journal mode '{mode}' where 'wal' was asked for")));
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Keeps the connection from copying the log back when it closes.
pub(crate) fn leave_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(|_| ())
}

/// A connection that can only read.
pub(crate) fn reader(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    harden(&connection)?;
    connection.execute_batch(&format!("PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB};"))?;
    Ok(connection)
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// What holds for every connection: durable commits, erased rows, and no trust in what a schema might have been made to say.
fn harden(connection: &Connection) -> Result<(), Fault> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Without this, SQLite plans a cached join anew whenever its parameters are bound: five times the price of running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(connection: &Connection, name: &str) -> i64 {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_connection_is_durable_and_erases() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.db");
        fs::write(&path, b"").unwrap();
        let writer = look(&path).unwrap();
        own(&writer).unwrap();
        writer.execute_batch("CREATE TABLE t (x INTEGER) STRICT").unwrap();
        let reader = reader(&path).unwrap();
        for connection in [&writer, &reader] {
            for (name, value) in [
                ("synchronous", 2),
                ("secure_delete", 1),
                ("foreign_keys", 1),
                ("trusted_schema", 0),
                ("cell_size_check", 1),
                ("temp_store", 2),
                ("wal_autocheckpoint", 0),
            ] {
                assert_eq!(setting(connection, name), value, "{name}");
            }
            assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE).unwrap());
        }
        assert!(!writer.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap());
        reader.execute_batch("INSERT INTO t VALUES (1)").unwrap_err();
    }
}
