//! From any released schema to the present one.
//!
//! Every step has a number and a file of its own. A released step is frozen: it is never edited, and it uses nothing of this
//! crate that may change. To add one: write `step_NNNN.rs`, list it in [`STEPS`], and write the fixture of the schema
//! it makes (`tests/fixtures/README.md`).

mod copy;
mod step_0001;
mod step_0002;
mod step_0003;
mod step_0004;
mod step_0005;
mod step_0006;
mod step_0007;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::directory::Directory;
use crate::fault::Fault;

/// Takes the schema one number up.
type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// Step `i` makes schema `i + 1`.
const STEPS: &[Step] = &[
    step_0001::apply,
    step_0002::apply,
    step_0003::apply,
    step_0004::apply,
    step_0005::apply,
    step_0006::apply,
    step_0007::apply,
];

/// The schema this release writes, kept in `user_version`.
pub const SCHEMA: u32 = 7;

const _: () = assert!(STEPS.len() == SCHEMA as usize, "every schema has one step");

/// Builds the present schema in an empty database.
pub(crate) fn build(connection: &mut Connection) -> Result<(), Fault> {
    run(connection, STEPS, 0)
}

/// Brings a store up to the present schema; a copy of it is made first.
pub(crate) fn upgrade(connection: &mut Connection, directory: &Directory) -> Result<(), Fault> {
    upgrade_with(connection, directory, STEPS)
}

fn upgrade_with(connection: &mut Connection, directory: &Directory, steps: &[Step]) -> Result<(), Fault> {
    let found = schema_of(connection)?;
    if found >= steps.len() {
        return Ok(());
    }
    copy::before(connection, directory, found)?;
    run(connection, steps, found)
}

/// Runs every step after `from` in one transaction: the file has the old schema or the new one, never one between.
fn run(connection: &mut Connection, steps: &[Step], from: usize) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps.iter().skip(from) {
        step(&transaction)?;
    }
    let reached = i32::try_from(steps.len()).map_err(|_| Fault::internal("too many schemas"))?;
    transaction.pragma_update(None, "user_version", reached)?;
    Ok(transaction.commit()?)
}

fn schema_of(connection: &Connection) -> Result<usize, Fault> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(version).map_err(|_| Fault::corrupt("vault.db has no valid schema number; restore a backup"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rusqlite::OptionalExtension;

    use super::*;
    use crate::{connection, create};

    fn add_colour(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction.execute_batch("ALTER TABLE token ADD COLUMN colour TEXT; UPDATE meta SET value = x'02'")
    }

    fn fail_half_way(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        add_colour(transaction)?;
        transaction.execute_batch("CREATE TABLE token (already INTEGER)")
    }

    /// The present steps and more.
    fn and_then(more: &[Step]) -> Vec<Step> {
        [STEPS, more].concat()
    }

    /// A store of the present schema with one row, and a connection to it.
    fn present(path: &Path) -> (Directory, Connection) {
        let directory = Directory::claim(path).unwrap();
        create::make(&directory).unwrap();
        let connection = connection::look(&directory.vault()).unwrap();
        connection.execute("INSERT INTO meta VALUES ('vault-id', x'01')", []).unwrap();
        (directory, connection)
    }

    fn value(connection: &Connection) -> Vec<u8> {
        connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).unwrap()
    }

    fn has_colour(connection: &Connection) -> bool {
        let sql = "SELECT 1 FROM pragma_table_info('token') WHERE name = 'colour'";
        connection.query_row(sql, [], |_| Ok(())).optional().unwrap().is_some()
    }

    #[test]
    fn an_upgrade_leaves_a_private_copy_of_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let (directory, mut connection) = present(&dir.path().join("state"));
        fs::write(directory.beside(".copy"), b"of an interrupted upgrade").unwrap();
        upgrade_with(&mut connection, &directory, &and_then(&[add_colour])).unwrap();
        assert_eq!((schema_of(&connection).unwrap(), value(&connection)), (STEPS.len() + 1, vec![2]));
        assert!(has_colour(&connection));
        let copy = directory.beside(&format!(".before-{SCHEMA}"));
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o600);
        assert!(!directory.beside(".copy").exists());
        let copy = Connection::open(&copy).unwrap();
        assert_eq!((schema_of(&copy).unwrap(), value(&copy)), (STEPS.len(), vec![1]));
        crate::identity::check_contents(&copy).unwrap();
        crate::identity::check_schema(&copy).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_schema() {
        let dir = tempfile::tempdir().unwrap();
        let (directory, mut connection) = present(&dir.path().join("state"));
        upgrade_with(&mut connection, &directory, &and_then(&[add_colour, fail_half_way])).unwrap_err();
        assert_eq!((schema_of(&connection).unwrap(), value(&connection)), (STEPS.len(), vec![1]));
        assert!(!has_colour(&connection));
    }

    #[test]
    fn a_store_of_the_present_schema_is_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (directory, mut connection) = present(&dir.path().join("state"));
        upgrade(&mut connection, &directory).unwrap();
        assert!(!directory.beside(&format!(".before-{SCHEMA}")).exists());
    }
}
