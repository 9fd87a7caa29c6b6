//! Shares.

use rusqlite::Connection;
use tokenvault_core::port::{NewShare, ShareRow, Tag};

use super::read::limit_of;
use super::write::execute_one;
use crate::fault::Fault;
use crate::row::{self, all, one};

pub(super) fn share(c: &Connection, token: i64, grantee_tag: &Tag) -> Result<Option<ShareRow>, Fault> {
    let sql = format!("SELECT {} FROM share WHERE token = ?1 AND grantee_tag = ?2", row::SHARE);
    one(c, &sql, (token, grantee_tag), row::share)
}

pub(super) fn shares_with(c: &Connection, tag: &Tag, after: i64, limit: usize) -> Result<Vec<ShareRow>, Fault> {
    let sql = format!("SELECT {} FROM share WHERE grantee_tag = ?1 AND id > ?2 ORDER BY id LIMIT ?3", row::SHARE);
    all(c, &sql, (tag, after, limit_of(limit)), row::share)
}

pub(super) fn shares(c: &Connection, token: i64) -> Result<Vec<ShareRow>, Fault> {
    all(c, &format!("SELECT {} FROM share WHERE token = ?1 ORDER BY id", row::SHARE), [token], row::share)
}

pub(super) fn insert_share(c: &Connection, share: &NewShare<'_>) -> Result<i64, Fault> {
    const SQL: &str = "INSERT INTO share (token, grantee_tag, meta) VALUES (?1, ?2, x'')";
    execute_one(c, SQL, (share.token, share.grantee_tag))?;
    Ok(c.last_insert_rowid())
}

pub(super) fn update_share(c: &Connection, row: &ShareRow) -> Result<(), Fault> {
    const SQL: &str = "UPDATE share SET expires_day = ?2, meta = ?3 WHERE id = ?1";
    execute_one(c, SQL, (row.id, row.expires_day, &row.meta))
}

pub(super) fn delete_share(c: &Connection, id: i64) -> Result<(), Fault> {
    execute_one(c, "DELETE FROM share WHERE id = ?1", [id])
}
