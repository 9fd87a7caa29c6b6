//! Contents: values in chunks, from the first chunk that comes in to the last that is removed.

use rusqlite::Connection;

use super::read::limit_of;
use super::write::{execute, execute_one};
use crate::fault::Fault;
use crate::row::{self, all, one, signed, unsigned};

pub(super) fn has_content(c: &Connection, content: i64) -> Result<bool, Fault> {
    Ok(one(c, "SELECT 1 FROM content WHERE id = ?1 AND uses > 0", [content], |_| Ok(()))?.is_some())
}

pub(super) fn chunk(c: &Connection, content: i64, number: u32) -> Result<Option<Vec<u8>>, Fault> {
    match row::chunk_key(content, number) {
        Some(key) => one(c, "SELECT body FROM chunk WHERE id = ?1", [key], |row| row.get(0)),
        None => Ok(None),
    }
}

pub(super) fn begin_content(c: &Connection, principal: i64) -> Result<i64, Fault> {
    execute_one(c, "INSERT INTO content (principal, open, uses, held) VALUES (?1, 1, 0, 0)", [principal])?;
    Ok(c.last_insert_rowid())
}

pub(super) fn insert_chunk(c: &Connection, content: i64, number: u32, body: &[u8]) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO chunk (id, body) SELECT ?1, ?2 FROM content WHERE id = ?3 AND open = 1";
    let key = row::chunk_key(content, number).ok_or_else(|| Fault::internal("a chunk's number is out of range"))?;
    execute_one(c, SQL, (key, body, content))
}

pub(super) fn hold_for_content(c: &Connection, content: i64, bytes: u64) -> Result<(), Fault> {
    execute_one(c, "UPDATE content SET held = held + ?2 WHERE id = ?1 AND open = 1", (content, signed(bytes)?))
}

/// Whose it is and what is held for it, while it is open or used.
fn held(c: &Connection, content: i64) -> Result<Option<(i64, u64)>, Fault> {
    const SQL: &str = "SELECT principal, held FROM content WHERE id = ?1 AND (open = 1 OR uses > 0)";
    one(c, SQL, [content], |row| Ok((row.get(0)?, unsigned(row, 1)?)))
}

pub(super) fn use_content(c: &Connection, content: i64) -> Result<Option<(i64, u64)>, Fault> {
    let held = held(c, content)?;
    if held.is_some() {
        execute_one(c, "UPDATE content SET open = 0, uses = uses + 1, held = 0 WHERE id = ?1", [content])?;
    }
    Ok(held)
}

pub(super) fn abandon_content(c: &Connection, content: i64) -> Result<Option<(i64, u64)>, Fault> {
    const SQL: &str = "UPDATE content SET open = 0, held = 0 WHERE id = ?1 AND open = 1";
    let held = held(c, content)?;
    Ok(if execute(c, SQL, [content])? > 0 { held } else { None })
}

/// One version less has a content.
pub(super) fn release(c: &Connection, content: i64) -> Result<(), Fault> {
    execute(c, "UPDATE content SET uses = uses - 1 WHERE id = ?1 AND uses > 0", [content]).map(|_| ())
}

/// The same of all versions of a token, whose keys are these.
pub(super) fn release_all(c: &Connection, range: (i64, i64)) -> Result<(), Fault> {
    const SQL: &str = "SELECT content FROM version WHERE id BETWEEN ?1 AND ?2 AND content IS NOT NULL";
    let contents: Vec<i64> = all(c, SQL, range, |row| row.get(0))?;
    contents.into_iter().try_for_each(|content| release(c, content))
}

pub(super) fn abandon_all_contents(c: &Connection) -> Result<(), Fault> {
    const GIVE_BACK: &str = "UPDATE principal SET bytes = max(bytes - ?2, 0) WHERE id = ?1";
    let open: Vec<(i64, i64)> = all(c, "SELECT principal, held FROM content WHERE uses = 0 AND open = 1", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    for (principal, held) in open {
        execute(c, GIVE_BACK, (principal, held))?;
    }
    execute(c, "UPDATE content SET open = 0, held = 0 WHERE uses = 0 AND open = 1", []).map(|_| ())
}

/// Whether a content was begun and has not ended.
pub(crate) fn has_open_contents(c: &Connection) -> Result<bool, Fault> {
    Ok(one(c, "SELECT 1 FROM content WHERE uses = 0 AND open = 1 LIMIT 1", [], |_| Ok(()))?.is_some())
}

pub(super) fn sweep_contents(c: &Connection, chunks: usize) -> Result<(), Fault> {
    const SQL: &str =
        "DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3)";
    let Some(content) = left_over(c)? else { return Ok(()) };
    let (first, last) = row::chunk_keys(content);
    if execute(c, SQL, (first, last, limit_of(chunks)))? == 0 {
        execute_one(c, "DELETE FROM content WHERE id = ?1", [content])?;
    }
    Ok(())
}

/// A content that no version has and that nobody writes.
pub(crate) fn left_over(c: &Connection) -> Result<Option<i64>, Fault> {
    one(c, "SELECT id FROM content WHERE uses = 0 AND open = 0 LIMIT 1", [], |row| row.get(0))
}
