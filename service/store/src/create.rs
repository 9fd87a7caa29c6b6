//! Making a new, empty store.
//!
//! It is made whole under another name and then renamed, so that a `vault.db` of zero length is never ours.

use std::fs::{self, File};

use crate::connection;
use crate::directory::{self, Directory};
use crate::fault::Fault;
use crate::identity::APPLICATION_ID;
use crate::migration;

/// Makes `vault.db`. There must be none.
pub(crate) fn make(directory: &Directory) -> Result<(), Fault> {
    let path = directory.beside(".new");
    // Left over when an earlier start was interrupted: it never had the name of a store, so nobody was told of anything in it.
    for suffix in [".new", ".new-wal", ".new-shm", ".new-journal"] {
        directory::remove_if_there(&directory.beside(suffix))?;
    }
    directory::create_private(&path)?;
    let mut connection = connection::look(&path)?;
    connection::own(&connection)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migration::build(&mut connection)?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(&path)?.sync_all()?;
    fs::rename(&path, directory.vault())?;
    directory.sync()
}
