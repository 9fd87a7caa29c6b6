//! Schema 2: shares.
//!
//! - A share belongs to the row of its token and not to its name, so it follows a rename.
//! - `AUTOINCREMENT`: a number is in the AAD of its record and must never come back for another row.
//! - One share for a token and a grantee; by the grantee alone, what is shared with him is found.

use rusqlite::Transaction;

const SQL: &str = "
CREATE TABLE share (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token INTEGER NOT NULL REFERENCES token (id),
    grantee_tag BLOB NOT NULL CHECK (length(grantee_tag) = 32),
    expires_day INTEGER,
    meta BLOB NOT NULL,
    UNIQUE (token, grantee_tag)
) STRICT;

CREATE INDEX share_grantee ON share (grantee_tag);
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
