//! Writes to the vault's own tables: single values, slots, keyring, principals, audit.

use rusqlite::Connection;
use tokenvault_core::port::{AuditRow, KeyringRow, MetaKey, PrincipalRow, SlotRow};

use super::read::meta_name;
use crate::fault::Fault;
use crate::row::signed;

/// One cached statement; how many rows it changed.
pub(super) fn execute(c: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<usize, Fault> {
    Ok(c.prepare_cached(sql)?.execute(params)?)
}

/// A statement that must change exactly one row.
pub(super) fn execute_one(c: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<(), Fault> {
    match execute(c, sql, params)? {
        1 => Ok(()),
        count => Err(Fault::internal(format!("a write changed {count} rows where there must be one"))),
    }
}

pub(super) fn set_meta(c: &Connection, key: MetaKey, value: &[u8]) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    execute_one(c, SQL, (meta_name(key), value))
}

pub(super) fn insert_slot(c: &Connection, row: &SlotRow) -> Result<u32, Fault> {
    const SQL: &str = "INSERT INTO slot (kind, body, wrapped_vk, wrapped_kek, created) VALUES (?1, ?2, ?3, ?4, ?5)";
    execute_one(c, SQL, (&row.kind, &row.body, &row.wrapped_vk, &row.wrapped_kek, signed(row.created)?))?;
    u32::try_from(c.last_insert_rowid()).map_err(|_| Fault::internal("the slot numbers are used up"))
}

pub(super) fn update_slot(c: &Connection, row: &SlotRow) -> Result<(), Fault> {
    const SQL: &str = "UPDATE slot SET body = ?2, wrapped_vk = ?3, wrapped_kek = ?4 WHERE id = ?1";
    execute_one(c, SQL, (row.id, &row.body, &row.wrapped_vk, &row.wrapped_kek))
}

pub(super) fn delete_slot(c: &Connection, id: u32) -> Result<bool, Fault> {
    Ok(execute(c, "DELETE FROM slot WHERE id = ?1", [id])? > 0)
}

pub(super) fn put_keyring(c: &Connection, row: &KeyringRow) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO keyring (purpose, term, wrapped) VALUES (?1, ?2, ?3) \
                       ON CONFLICT DO UPDATE SET wrapped = excluded.wrapped";
    execute_one(c, SQL, (&row.purpose, row.term, &row.wrapped))
}

pub(super) fn delete_keyring(c: &Connection, purpose: &str, term: u32) -> Result<(), Fault> {
    execute(c, "DELETE FROM keyring WHERE purpose = ?1 AND term = ?2", (purpose, term)).map(drop)
}

pub(super) fn insert_principal(c: &Connection, row: &PrincipalRow) -> Result<i64, Fault> {
    const SQL: &str = "INSERT INTO principal (uid_tag, generation, tokens, bytes, issued, record, key) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (tokens, bytes, issued) = (signed(row.tokens)?, signed(row.bytes)?, signed(row.issued)?);
    execute_one(c, SQL, (&row.uid_tag, &row.generation, tokens, bytes, issued, &row.record, &row.key))?;
    Ok(c.last_insert_rowid())
}

pub(super) fn update_principal(c: &Connection, row: &PrincipalRow) -> Result<(), Fault> {
    const SQL: &str = "UPDATE principal SET uid_tag = ?2, tokens = ?3, bytes = ?4, issued = ?5, record = ?6, key = ?7 \
                       WHERE id = ?1";
    let (tokens, bytes, issued) = (signed(row.tokens)?, signed(row.bytes)?, signed(row.issued)?);
    execute_one(c, SQL, (row.id, &row.uid_tag, tokens, bytes, issued, &row.record, &row.key))
}

pub(super) fn delete_principal(c: &Connection, id: i64) -> Result<(), Fault> {
    execute_one(c, "DELETE FROM principal WHERE id = ?1", [id])
}

pub(super) fn set_login(c: &Connection, principal: i64, record: &[u8]) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO login (principal, record) VALUES (?1, ?2) \
                       ON CONFLICT DO UPDATE SET record = excluded.record";
    execute_one(c, SQL, (principal, record))
}

/// Bytes end at zero: what a build before the first release counted for less than it is counted for now must not keep anyone
/// from deleting it.
pub(super) fn add_usage(c: &Connection, principal: i64, tokens: i64, bytes: i64) -> Result<(), Fault> {
    const SQL: &str = "UPDATE principal SET tokens = tokens + ?2, bytes = max(bytes + ?3, 0) WHERE id = ?1";
    execute_one(c, SQL, (principal, tokens, bytes))
}

/// Appends only right after the head; where everything was pruned, anywhere.
pub(super) fn append_audit(c: &Connection, row: &AuditRow) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO audit (seq, record, chain) SELECT ?1, ?2, ?3 \
                       WHERE coalesce((SELECT max(seq) FROM audit) + 1, ?1) = ?1";
    match execute(c, SQL, (signed(row.seq)?, &row.record, &row.chain))? {
        1 => Ok(()),
        _ => Err(Fault::internal(format!("audit record {} does not follow the head of the chain", row.seq))),
    }
}

pub(super) fn prune_audit(c: &Connection, up_to: u64) -> Result<u64, Fault> {
    let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
    let removed = execute(c, "DELETE FROM audit WHERE seq <= ?1", [up_to])?;
    Ok(removed as u64)
}
