//! What was issued.

use rusqlite::Connection;
use tokenvault_core::port::{IssuedRow, Tag};

use super::read::limit_of;
use super::write::execute_one;
use crate::fault::Fault;
use crate::row::{self, all, one};

pub(super) fn issued(c: &Connection, tag: &Tag) -> Result<Option<IssuedRow>, Fault> {
    const SQL: &str = concat!("SELECT ", row::issued_columns!(), " FROM issued WHERE tag = ?1");
    one(c, SQL, [tag], row::issued)
}

const NEXT: &str = concat!("SELECT ", row::issued_columns!(), " FROM issued WHERE tag >= ?1 ORDER BY tag LIMIT 1");

/// The row of a tag, or the next one in their order, which begins again behind the last. The first one is read in any case, so
/// that the time it takes tells nobody where a tag lies among the others.
pub(super) fn issued_or_other(c: &Connection, tag: &Tag) -> Result<Option<IssuedRow>, Fault> {
    const FIRST: Tag = [0; 32];
    let find = |tag: &Tag| one(c, NEXT, [tag], row::issued);
    let (next, first) = (find(tag)?, find(&FIRST)?);
    Ok(next.or(first))
}

/// The rest of a day, then the days after it. In one comparison of both, SQLite would go through that day from its beginning.
const BY_PRINCIPAL: &str = concat!(
    "SELECT * FROM (SELECT ",
    row::issued_columns!(),
    " FROM issued WHERE principal = ?1 AND expires_day = ?2 AND id > ?3 ORDER BY id LIMIT ?4) \
     UNION ALL SELECT * FROM (SELECT ",
    row::issued_columns!(),
    " FROM issued WHERE principal = ?1 AND expires_day > ?2 ORDER BY expires_day, id LIMIT ?4) LIMIT ?4"
);

pub(super) fn issued_by(
    c: &Connection,
    principal: i64,
    (day, id): (i64, i64),
    limit: usize,
) -> Result<Vec<IssuedRow>, Fault> {
    all(c, BY_PRINCIPAL, (principal, day, id, limit_of(limit)), row::issued)
}

const ENDED: &str = concat!(
    "SELECT ",
    row::issued_columns!(),
    " FROM issued INDEXED BY issued_expires WHERE expires_day <= ?1 AND (expires_day, id) > (?2, ?3) \
     ORDER BY expires_day, id LIMIT ?4"
);

pub(super) fn ended(c: &Connection, by: i64, (day, id): (i64, i64), limit: usize) -> Result<Vec<IssuedRow>, Fault> {
    all(c, ENDED, (by, day, id, limit_of(limit)), row::issued)
}

const OFFERS: &str = concat!("SELECT ", row::issued_columns!(), " FROM issued WHERE token = ?1 ORDER BY id");

pub(super) fn offers(c: &Connection, token: i64) -> Result<Vec<IssuedRow>, Fault> {
    all(c, OFFERS, [token], row::issued)
}

pub(super) fn insert_issued(c: &Connection, row: &IssuedRow) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO issued (principal, kind, tag, hash, token, expires_day, meta) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    execute_one(c, SQL, (row.principal, row.kind, &row.tag, &row.hash, row.token, row.expires_day, &row.meta))
}

pub(super) fn update_issued(c: &Connection, row: &IssuedRow) -> Result<(), Fault> {
    execute_one(
        c,
        "UPDATE issued SET expires_day = ?2, meta = ?3 WHERE tag = ?1",
        (&row.tag, row.expires_day, &row.meta),
    )
}

pub(super) fn delete_issued(c: &Connection, tag: &Tag) -> Result<Option<IssuedRow>, Fault> {
    let row = issued(c, tag)?;
    if row.is_some() {
        execute_one(c, "DELETE FROM issued WHERE tag = ?1", [tag])?;
    }
    Ok(row)
}

pub(super) fn add_issued(c: &Connection, principal: i64, issued: i64) -> Result<(), Fault> {
    execute_one(c, "UPDATE principal SET issued = issued + ?2 WHERE id = ?1", (principal, issued))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sql: &str, parameters: usize) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migration::build(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map(rusqlite::params_from_iter(vec![0; parameters]), |row| row.get(3)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn nothing_is_sorted_and_everything_is_found_by_an_index() {
        for (steps, index) in [
            (plan(NEXT, 1), "(tag>?)"),
            (plan(BY_PRINCIPAL, 4), "issued_principal (principal=? AND expires_day=? AND rowid>?)"),
            (plan(BY_PRINCIPAL, 4), "issued_principal (principal=? AND expires_day>?)"),
            (plan(OFFERS, 1), "issued_token (token=?)"),
            (plan(ENDED, 4), "issued_expires (expires_day"),
        ] {
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
        }
    }
}
