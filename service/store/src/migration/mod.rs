//! From any released schema to the present one.
//!
//! Every step has a number and a file of its own. A released step is frozen: it is never edited, and it uses nothing of this
//! crate that may change. To add one: write `step_NNNN.rs`, list it in [`STEPS`], and write the fixture of the schema
//! it makes (`tests/fixtures/README.md`).

mod copy;
mod step_0001;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::directory::Directory;
use crate::fault::Fault;

/// Takes the schema one number up.
type Step = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// Step `i` makes schema `i + 1`.
const STEPS: &[Step] = &[step_0001::apply];

/// The schema this release writes, kept in `user_version`.
pub const SCHEMA: u32 = 1;

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
