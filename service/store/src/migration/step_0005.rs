//! Schema 5: what is issued: tokens, codes, offers.
//!
//! - `tag` and `hash` are keyed: neither ids nor secrets can be read or tried. A tag is random and never comes again, so the
//!   record is bound to it and not to a number.
//! - Of one principal by the day they expire: lists go along it. Of all of them by that day: what is cleaned up does.
//! - An offer belongs to the row of its token, and not to its name.
//! - How many a principal has is kept, not counted.

use rusqlite::Transaction;

const SQL: &str = "
CREATE TABLE issued (
    id INTEGER PRIMARY KEY,
    principal INTEGER NOT NULL REFERENCES principal (id),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 255),
    tag BLOB NOT NULL UNIQUE CHECK (length(tag) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    token INTEGER REFERENCES token (id),
    expires_day INTEGER NOT NULL,
    meta BLOB NOT NULL
) STRICT;

CREATE INDEX issued_principal ON issued (principal, expires_day);
CREATE INDEX issued_expires ON issued (expires_day);
CREATE INDEX issued_token ON issued (token) WHERE token IS NOT NULL;

ALTER TABLE principal ADD COLUMN issued INTEGER NOT NULL DEFAULT 0 CHECK (issued >= 0);
";

pub(super) fn apply(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(SQL)
}
