//! From columns to the rows of the port.

use rusqlite::{Connection, OptionalExtension, Params, Row};
use tokenvault_core::port::{
    AuditRow, IssuedRow, KeyringRow, PrincipalRow, ShareRow, SlotRow, TokenRow, VersionHead, VersionRow,
};

use crate::fault::Fault;

pub(crate) const SLOT: &str = "id, kind, body, wrapped_vk, wrapped_kek, created";
pub(crate) const PRINCIPAL: &str = "id, uid_tag, generation, record, key, tokens, bytes, issued";
pub(crate) const SHARE: &str = "id, token, grantee_tag, expires_day, meta";
pub(crate) const AUDIT: &str = "seq, record, chain";

/// Columns of a token `t`, then of its version `v`; a value may follow.
macro_rules! token_and_head {
    () => {
        "t.id, t.principal, t.name_tag, t.current, t.newest, t.meta, \
         v.id, v.class, v.expires_day, v.stored_bytes, v.meta, v.dek, v.content"
    };
}
pub(crate) use token_and_head;

/// Column where the head of a version begins in `token_and_head!`.
pub(crate) const HEAD_AFTER_TOKEN: usize = 6;

/// Columns of what was issued.
macro_rules! issued_columns {
    () => {
        "id, principal, kind, tag, hash, token, expires_day, meta"
    };
}
pub(crate) use issued_columns;

/// Columns of a version without its value.
macro_rules! head {
    () => {
        "id, class, expires_day, stored_bytes, meta, dek, content"
    };
}
pub(crate) use head;

/// Columns of a head.
pub(crate) const HEAD_COLUMNS: usize = 7;

const VERSION_BITS: u32 = 28;
const VERSION_MASK: i64 = (1 << VERSION_BITS) - 1;
const LAST_TOKEN: i64 = i64::MAX >> VERSION_BITS;

/// Row number of a version, or `None` where there cannot be one.
pub(crate) fn version_key(token: i64, version: u64) -> Option<i64> {
    let version = i64::try_from(version).ok().filter(|number| (1..=VERSION_MASK).contains(number))?;
    (1..=LAST_TOKEN).contains(&token).then_some(token << VERSION_BITS | version)
}

/// First and last row number the versions of a token can have.
pub(crate) fn version_keys(token: i64) -> Option<(i64, i64)> {
    let first = version_key(token, 1)?;
    Some((first, first | VERSION_MASK))
}

const CHUNK_BITS: u32 = 9;
const CHUNK_MASK: i64 = (1 << CHUNK_BITS) - 1;
const LAST_CONTENT: i64 = i64::MAX >> CHUNK_BITS;

/// Row number of a chunk, or `None` where there cannot be one.
pub(crate) fn chunk_key(content: i64, number: u32) -> Option<i64> {
    let number = Some(i64::from(number)).filter(|number| *number <= CHUNK_MASK)?;
    (1..=LAST_CONTENT).contains(&content).then_some(content << CHUNK_BITS | number)
}

/// First and last row number the chunks of a content can have.
pub(crate) const fn chunk_keys(content: i64) -> (i64, i64) {
    let first = content << CHUNK_BITS;
    (first, first | CHUNK_MASK)
}

/// The one row a statement finds, if any.
pub(crate) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Fault> {
    Ok(connection.prepare_cached(sql)?.query_row(params, decode).optional()?)
}

/// All rows a statement finds.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, decode)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A number as SQLite keeps it.
pub(crate) fn signed(number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| Fault::internal("a number is out of the store's range"))
}

pub(crate) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let number: i64 = row.get(column)?;
    T::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

pub(crate) fn slot(row: &Row<'_>) -> rusqlite::Result<SlotRow> {
    Ok(SlotRow {
        id: unsigned(row, 0)?,
        kind: row.get(1)?,
        body: row.get(2)?,
        wrapped_vk: row.get(3)?,
        wrapped_kek: row.get(4)?,
        created: unsigned(row, 5)?,
    })
}

pub(crate) fn key(row: &Row<'_>) -> rusqlite::Result<KeyringRow> {
    Ok(KeyringRow { purpose: row.get(0)?, term: unsigned(row, 1)?, wrapped: row.get(2)? })
}

pub(crate) fn principal(row: &Row<'_>) -> rusqlite::Result<PrincipalRow> {
    Ok(PrincipalRow {
        id: row.get(0)?,
        uid_tag: row.get(1)?,
        generation: row.get(2)?,
        record: row.get(3)?,
        key: row.get(4)?,
        tokens: unsigned(row, 5)?,
        bytes: unsigned(row, 6)?,
        issued: unsigned(row, 7)?,
    })
}

pub(crate) fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        principal: row.get(1)?,
        name_tag: row.get(2)?,
        current: unsigned(row, 3)?,
        newest: unsigned(row, 4)?,
        meta: row.get(5)?,
    })
}

/// A head whose columns begin at `from`.
pub(crate) fn version_head(row: &Row<'_>, from: usize) -> rusqlite::Result<VersionHead> {
    let key: i64 = row.get(from)?;
    Ok(VersionHead {
        token: key >> VERSION_BITS,
        version: u64::try_from(key & VERSION_MASK).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(from, key))?,
        class: unsigned(row, from + 1)?,
        expires_day: row.get(from + 2)?,
        stored_bytes: unsigned(row, from + 3)?,
        meta: row.get(from + 4)?,
        dek: row.get(from + 5)?,
        content: row.get(from + 6)?,
    })
}

/// A head whose columns begin at `from`, and the value after it.
pub(crate) fn version(row: &Row<'_>, from: usize) -> rusqlite::Result<VersionRow> {
    Ok(VersionRow { head: version_head(row, from)?, value: row.get(from + HEAD_COLUMNS)? })
}

pub(crate) fn share(row: &Row<'_>) -> rusqlite::Result<ShareRow> {
    Ok(ShareRow {
        id: row.get(0)?,
        token: row.get(1)?,
        grantee_tag: row.get(2)?,
        expires_day: row.get(3)?,
        meta: row.get(4)?,
    })
}

pub(crate) fn issued(row: &Row<'_>) -> rusqlite::Result<IssuedRow> {
    Ok(IssuedRow {
        id: row.get(0)?,
        principal: row.get(1)?,
        kind: unsigned(row, 2)?,
        tag: row.get(3)?,
        hash: row.get(4)?,
        token: row.get(5)?,
        expires_day: row.get(6)?,
        meta: row.get(7)?,
    })
}

pub(crate) fn audit(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    Ok(AuditRow { seq: unsigned(row, 0)?, record: row.get(1)?, chain: row.get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_two_tokens_never_meet() {
        let (_, last) = version_keys(7).unwrap();
        let (first, _) = version_keys(8).unwrap();
        assert!(last < first);
        assert_eq!(version_key(7, VERSION_MASK as u64), Some(last));
    }

    #[test]
    fn a_chunk_out_of_range_has_no_key_and_those_of_two_contents_never_meet() {
        assert!(chunk_keys(7).1 < chunk_keys(8).0);
        assert_eq!(chunk_key(7, 511), Some(chunk_keys(7).1));
        assert_eq!(chunk_key(7, 512), None);
        for content in [i64::MIN, -1, 0, LAST_CONTENT + 1, i64::MAX] {
            assert_eq!(chunk_key(content, 0), None);
        }
    }

    #[test]
    fn a_version_out_of_range_has_no_key() {
        for version in [0, 1 << VERSION_BITS, u64::MAX] {
            assert_eq!(version_key(1, version), None);
        }
        for token in [i64::MIN, -1, 0, LAST_TOKEN + 1, i64::MAX] {
            assert_eq!(version_key(token, 1), None);
        }
        assert!(version_key(LAST_TOKEN, 1).unwrap() > 0);
    }
}
