//! Schema 6: values that are kept in chunks.
//!
//! - A content is what the chunks of one value belong to. While it comes in, it is `open` and no version has it; what is
//!   counted for its principal until then is `held`. `uses` are the versions that have it. What is neither open nor used is
//!   left over, and its chunks are removed a few at a time.
//! - A chunk's key is `content << 9 | number`: the chunks of a content lie together and in order.
//! - `AUTOINCREMENT`: a number is in every AAD, and whoever still reads a content that is gone must not find another one.
//! - A version that has a content has an empty value.

use rusqlite::Transaction;

const SQL: &str = "
CREATE TABLE content (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 18014398509481983),
    principal INTEGER NOT NULL,
    open INTEGER NOT NULL CHECK (open BETWEEN 0 AND 1),
    uses INTEGER NOT NULL CHECK (uses >= 0),
    held INTEGER NOT NULL CHECK (held >= 0)
) STRICT;

CREATE INDEX content_unused ON content (open) WHERE uses = 0;

CREATE TABLE chunk (
    id INTEGER PRIMARY KEY CHECK (id >= 512),
    body BLOB NOT NULL
) STRICT;

ALTER TABLE version ADD COLUMN content INTEGER;
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
