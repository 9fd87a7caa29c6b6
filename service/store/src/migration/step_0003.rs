//! Schema 3: logins.
//!
//! One row for each principal that has a login key; all that is in it is encrypted. It goes with its principal.

use rusqlite::Transaction;

const SQL: &str = "
CREATE TABLE login (
    principal INTEGER PRIMARY KEY REFERENCES principal (id) ON DELETE CASCADE,
    record BLOB NOT NULL
) STRICT;
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
