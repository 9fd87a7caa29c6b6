//! The copy that is made before the schema changes.

use std::fs::{self, File};

use rusqlite::Connection;

use crate::directory::{self, Directory};
use crate::fault::Fault;

/// Writes the whole store to `vault.db.before-N`, where N is the schema it still has. The name appears only when
/// the copy is complete and durable.
pub(super) fn before(connection: &Connection, directory: &Directory, schema: usize) -> Result<(), Fault> {
    let unfinished = directory.beside(".copy");
    directory::remove_if_there(&unfinished)?;
    // SQLite writes into an empty file that exists, but would create one with the mode the umask leaves.
    directory::create_private(&unfinished)?;
    let name = unfinished.to_str().ok_or_else(|| Fault::io("the state directory's name is not UTF-8; rename it"))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, directory.beside(&format!(".before-{schema}")))?;
    directory.sync()
}
