//! What has ended, found by its day and without reading anything that has not.

use rusqlite::{Connection, Row};
use tokenvault_core::port::Ending;

use super::read::limit_of;
use crate::fault::Fault;
use crate::row::all;

const VERSIONS: &str = "SELECT v.expires_day, t.id, t.principal, v.id \
     FROM version v INDEXED BY version_expires CROSS JOIN token t ON t.id = v.id >> 28 \
     WHERE v.expires_day <= ?1 AND (v.expires_day, v.id) > (?2, ?3) ORDER BY v.expires_day, v.id LIMIT ?4";

const SHARES: &str = "SELECT s.expires_day, t.id, t.principal, s.id \
     FROM share s INDEXED BY share_expires CROSS JOIN token t ON t.id = s.token \
     WHERE s.expires_day <= ?1 AND (s.expires_day, s.id) > (?2, ?3) ORDER BY s.expires_day, s.id LIMIT ?4";

pub(super) fn versions(c: &Connection, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, Fault> {
    find(c, VERSIONS, day, after, limit)
}

pub(super) fn shares(c: &Connection, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, Fault> {
    find(c, SHARES, day, after, limit)
}

fn find(c: &Connection, sql: &str, day: i64, after: Option<Ending>, limit: usize) -> Result<Vec<Ending>, Fault> {
    let (after_day, after_row) = after.map_or((i64::MIN, i64::MIN), |ending| (ending.day, ending.row));
    all(c, sql, (day, after_day, after_row, limit_of(limit)), decode)
}

fn decode(found: &Row<'_>) -> rusqlite::Result<Ending> {
    Ok(Ending { day: found.get(0)?, token: found.get(1)?, principal: found.get(2)?, row: found.get(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sorted_or_read_that_has_not_ended() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migration::build(&mut connection).unwrap();
        for (sql, index) in [(VERSIONS, "version_expires"), (SHARES, "share_expires")] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let rows = statement.query_map([0; 4], |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = rows.map(Result::unwrap).collect();
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN")), "{steps:?}");
            assert!(steps[0].contains(index) && steps[0].contains("expires_day"), "{steps:?}");
        }
    }
}
