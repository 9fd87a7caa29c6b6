//! Schema 4: what expires is found without reading everything.

use rusqlite::Transaction;

const SQL: &str = "
CREATE INDEX version_expires ON version (expires_day) WHERE expires_day IS NOT NULL;

CREATE INDEX share_expires ON share (expires_day) WHERE expires_day IS NOT NULL;
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
