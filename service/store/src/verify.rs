//! The slow look at the whole file, for after the start.

use rusqlite::Connection;

use crate::fault::Fault;

const NEXT_STEP: &str = "nothing was changed; restore a backup";

/// Checks every page, and that rows which belong together are there.
pub(crate) fn structure(connection: &Connection) -> Result<(), Fault> {
    connection.execute_batch("BEGIN")?;
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Fault::corrupt(format!("{}; {NEXT_STEP}", found.replace('\n', ", "))));
    }
    for (sql, what) in RELATIONS {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            return Err(Fault::corrupt(format!("{count} {what}; {NEXT_STEP}")));
        }
    }
    Ok(())
}

/// Checks every page, and that each index has what its table has and nothing else.
pub(crate) fn indexes(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Fault::corrupt(format!("{}; {NEXT_STEP}", found.replace('\n', ", "))))
}

const RELATIONS: [(&str, &str); 4] = [
    ("SELECT count(*) FROM pragma_foreign_key_check", "rows belong to nobody"),
    (
        "SELECT count(*) FROM version v WHERE NOT EXISTS (SELECT 1 FROM token t WHERE t.id = v.id >> 28)",
        "versions have no token",
    ),
    (
        "SELECT count(*) FROM token t WHERE NOT EXISTS (SELECT 1 FROM version v WHERE v.id = (t.id << 28 | t.current))",
        "tokens have no current version",
    ),
    ("SELECT coalesce(max(seq) - min(seq) + 1 - count(*), 0) FROM audit", "audit records are missing"),
];
