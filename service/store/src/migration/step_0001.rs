//! Schema 1: the first one.
//!
//! - A version's key is `token << 28 | version`: the versions of a token lie together and in order, and the way from a
//!   token to one of its versions is a single descent by row number.
//! - `value` is the last column and spills into pages of its own, so a scan over heads does not read values.
//! - `AUTOINCREMENT`: a number is in every AAD and must never come back for another row.

use rusqlite::Transaction;

const SQL: &str = "
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    wrapped_vk BLOB NOT NULL,
    wrapped_kek BLOB NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE keyring (
    purpose TEXT NOT NULL,
    term INTEGER NOT NULL CHECK (term > 0),
    wrapped BLOB NOT NULL,
    PRIMARY KEY (purpose, term)
) STRICT, WITHOUT ROWID;

CREATE TABLE principal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid_tag BLOB NOT NULL UNIQUE CHECK (length(uid_tag) = 32),
    generation BLOB NOT NULL CHECK (length(generation) = 16),
    tokens INTEGER NOT NULL CHECK (tokens >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    record BLOB NOT NULL,
    key BLOB NOT NULL
) STRICT;

CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 34359738367),
    principal INTEGER NOT NULL REFERENCES principal (id),
    name_tag BLOB NOT NULL UNIQUE CHECK (length(name_tag) = 32),
    current INTEGER NOT NULL CHECK (current BETWEEN 0 AND newest),
    newest INTEGER NOT NULL CHECK (newest BETWEEN 0 AND 268435455),
    meta BLOB NOT NULL
) STRICT;

CREATE INDEX token_principal ON token (principal);

CREATE TABLE version (
    id INTEGER PRIMARY KEY CHECK (id > 268435456),
    class INTEGER NOT NULL CHECK (class BETWEEN 0 AND 255),
    expires_day INTEGER,
    stored_bytes INTEGER NOT NULL CHECK (stored_bytes >= 0),
    meta BLOB NOT NULL,
    dek BLOB NOT NULL,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE attribute (
    tag BLOB NOT NULL CHECK (length(tag) = 16),
    token INTEGER NOT NULL REFERENCES token (id),
    PRIMARY KEY (tag, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX attribute_token ON attribute (token);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    record BLOB NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
