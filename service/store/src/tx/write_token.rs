//! Writes to tokens, their versions and their attributes.

use rusqlite::Connection;
use tokenvault_core::port::{AttributeTag, NewToken, TokenRow, VersionHead, VersionRow};

use super::write::{execute, execute_one};
use super::{content, read};
use crate::fault::Fault;
use crate::row::{self, signed};

pub(super) fn insert_token(c: &Connection, token: &NewToken<'_>) -> Result<i64, Fault> {
    const SQL: &str = "INSERT INTO token (principal, name_tag, current, newest, meta) VALUES (?1, ?2, 0, 0, x'')";
    execute_one(c, SQL, (token.principal, token.name_tag))?;
    Ok(c.last_insert_rowid())
}

pub(super) fn update_token(c: &Connection, row: &TokenRow) -> Result<(), Fault> {
    const SQL: &str = "UPDATE token SET name_tag = ?2, current = ?3, newest = ?4, meta = ?5 WHERE id = ?1";
    execute_one(c, SQL, (row.id, &row.name_tag, signed(row.current)?, signed(row.newest)?, &row.meta))
}

pub(super) fn delete_token(c: &Connection, id: i64) -> Result<(), Fault> {
    let range = row::version_keys(id).ok_or_else(|| Fault::internal("a token's number is out of range"))?;
    content::release_all(c, range)?;
    execute(c, "DELETE FROM version WHERE id BETWEEN ?1 AND ?2", range)?;
    execute(c, "DELETE FROM attribute WHERE token = ?1", [id])?;
    execute(c, "DELETE FROM share WHERE token = ?1", [id])?;
    execute_one(c, "DELETE FROM token WHERE id = ?1", [id])
}

pub(super) fn set_attributes(c: &Connection, token: i64, tags: &[AttributeTag]) -> Result<(), Fault> {
    execute(c, "DELETE FROM attribute WHERE token = ?1", [token])?;
    for tag in tags {
        execute(c, "INSERT OR IGNORE INTO attribute (tag, token) VALUES (?1, ?2)", (tag, token))?;
    }
    Ok(())
}

pub(super) fn insert_version(c: &Connection, row: &VersionRow) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO version (id, class, expires_day, stored_bytes, meta, dek, value, content) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let head = &row.head;
    let stored = signed(head.stored_bytes)?;
    let columns =
        (key_of(head)?, head.class, head.expires_day, stored, &head.meta, &head.dek, &row.value, head.content);
    execute_one(c, SQL, columns)
}

pub(super) fn update_version(c: &Connection, head: &VersionHead) -> Result<(), Fault> {
    const SQL: &str = "UPDATE version SET class = ?2, expires_day = ?3, stored_bytes = ?4, meta = ?5, dek = ?6 \
                       WHERE id = ?1";
    let stored = signed(head.stored_bytes)?;
    execute_one(c, SQL, (key_of(head)?, head.class, head.expires_day, stored, &head.meta, &head.dek))
}

pub(super) fn delete_version(c: &Connection, token: i64, version: u64) -> Result<Option<VersionHead>, Fault> {
    let head = read::version_head(c, token, version)?;
    if let Some(head) = &head {
        execute_one(c, "DELETE FROM version WHERE id = ?1", [key_of(head)?])?;
        head.content.map_or(Ok(()), |content| content::release(c, content))?;
    }
    Ok(head)
}

fn key_of(head: &VersionHead) -> Result<i64, Fault> {
    row::version_key(head.token, head.version)
        .ok_or_else(|| Fault::internal("the version numbers of a token are used up; delete it and put it again"))
}
