//! Point reads and small whole tables.

use rusqlite::Connection;
use tokenvault_core::port::{
    AuditRow, KeyringRow, MetaKey, PrincipalRow, SlotRow, Tag, TokenRow, Totals, VersionHead, VersionRow,
};

use crate::fault::Fault;
use crate::row::{self, all, one};

/// The name a single value has in the table.
/// The row of a single value.
pub(crate) fn meta_name(key: MetaKey) -> &'static str {
    match key {
        MetaKey::VaultId => "vault-id",
        MetaKey::InstanceId => "instance-id",
        MetaKey::SlotMac => "slot-mac",
        MetaKey::RecoveryConfirmed => "recovery-confirmed",
        MetaKey::AuditBase => "audit-base",
        MetaKey::TrustedTime => "trusted-time",
        MetaKey::HeededNotes => "heeded-notes",
        MetaKey::ToldExpiry => "told-expiry",
        MetaKey::Lockdown => "lockdown",
        MetaKey::RowSum => "row-sum",
    }
}

pub(super) fn meta(c: &Connection, key: MetaKey) -> Result<Option<Vec<u8>>, Fault> {
    one(c, "SELECT value FROM meta WHERE key = ?1", [meta_name(key)], |row| row.get(0))
}

pub(super) fn slots(c: &Connection) -> Result<Vec<SlotRow>, Fault> {
    all(c, &format!("SELECT {} FROM slot ORDER BY id", row::SLOT), [], row::slot)
}

pub(super) fn keyring(c: &Connection) -> Result<Vec<KeyringRow>, Fault> {
    all(c, "SELECT purpose, term, wrapped FROM keyring ORDER BY purpose, term", [], row::key)
}

pub(super) fn principal(c: &Connection, uid_tag: &Tag) -> Result<Option<PrincipalRow>, Fault> {
    one(c, &format!("SELECT {} FROM principal WHERE uid_tag = ?1", row::PRINCIPAL), [uid_tag], row::principal)
}

/// The principal at a tag, or another one.
pub(super) fn principal_or_other(c: &Connection, uid_tag: &Tag) -> Result<Option<PrincipalRow>, Fault> {
    let sql = format!("SELECT {} FROM principal WHERE uid_tag >= ?1 ORDER BY uid_tag LIMIT 1", row::PRINCIPAL);
    at_or_behind(uid_tag, |tag| one(c, &sql, [tag], row::principal))
}

/// What is found at a tag or behind it; behind the last comes the first. It is looked twice whatever is there, and one of the two
/// finds something: how long it takes does not tell whether something is at the tag, nor whether it is the last.
fn at_or_behind<T>(tag: &Tag, find: impl Fn(&Tag) -> Result<Option<T>, Fault>) -> Result<Option<T>, Fault> {
    const FIRST: Tag = [0; 32];
    const BEHIND_ALL: Tag = [0xff; 32];
    let found = find(tag)?;
    let other = find(if found.is_some() { &BEHIND_ALL } else { &FIRST })?;
    Ok(found.or(other))
}

pub(super) fn principal_by_id(c: &Connection, id: i64) -> Result<Option<PrincipalRow>, Fault> {
    one(c, &format!("SELECT {} FROM principal WHERE id = ?1", row::PRINCIPAL), [id], row::principal)
}

pub(super) fn principals(c: &Connection, after: i64, limit: usize) -> Result<Vec<PrincipalRow>, Fault> {
    let sql = format!("SELECT {} FROM principal WHERE id > ?1 ORDER BY id LIMIT ?2", row::PRINCIPAL);
    all(c, &sql, (after, limit_of(limit)), row::principal)
}

pub(super) fn login(c: &Connection, principal: i64) -> Result<Option<Vec<u8>>, Fault> {
    one(c, "SELECT record FROM login WHERE principal = ?1", [principal], |row| row.get(0))
}

pub(super) fn token(c: &Connection, principal: i64, name_tag: &Tag) -> Result<Option<TokenRow>, Fault> {
    const SQL: &str = "SELECT id, principal, name_tag, current, newest, meta FROM token \
                       WHERE name_tag = ?1 AND principal = ?2";
    one(c, SQL, (name_tag, principal), row::token)
}

const TOKEN_OR_NEXT: &str = "SELECT id, name_tag FROM token WHERE name_tag >= ?1 ORDER BY name_tag LIMIT 1";

/// The token at a tag, or another one. Answered by an index alone: nothing is read of a token that is there.
pub(super) fn token_id_or_other(c: &Connection, name_tag: &Tag) -> Result<Option<(i64, Tag)>, Fault> {
    at_or_behind(name_tag, |tag| one(c, TOKEN_OR_NEXT, [tag], |row| Ok((row.get(0)?, row.get(1)?))))
}

pub(super) fn token_by_id(c: &Connection, id: i64) -> Result<Option<TokenRow>, Fault> {
    one(c, "SELECT id, principal, name_tag, current, newest, meta FROM token WHERE id = ?1", [id], row::token)
}

const TOKEN_WITH_VALUE: &str = concat!(
    "SELECT ",
    row::token_and_head!(),
    ", v.value FROM token t CROSS JOIN version v ON v.id = (t.id << 28 | coalesce(?3, t.current)) \
     WHERE t.name_tag = ?1 AND t.principal = ?2"
);

pub(super) fn token_with_value(
    c: &Connection,
    principal: i64,
    name_tag: &Tag,
    version: Option<u64>,
) -> Result<Option<(TokenRow, VersionRow)>, Fault> {
    // A number that no version can have must not run over into the bits of another token's key.
    let wanted = match version {
        Some(number) if row::version_key(1, number).is_none() => return Ok(None),
        Some(number) => Some(row::signed(number)?),
        None => None,
    };
    one(c, TOKEN_WITH_VALUE, (name_tag, principal, wanted), |found| {
        Ok((row::token(found)?, row::version(found, row::HEAD_AFTER_TOKEN)?))
    })
}

pub(super) fn version_head(c: &Connection, token: i64, version: u64) -> Result<Option<VersionHead>, Fault> {
    const SQL: &str = concat!("SELECT ", row::head!(), " FROM version WHERE id = ?1");
    match row::version_key(token, version) {
        Some(key) => one(c, SQL, [key], |found| row::version_head(found, 0)),
        None => Ok(None),
    }
}

pub(super) fn version(c: &Connection, token: i64, version: u64) -> Result<Option<VersionRow>, Fault> {
    const SQL: &str = concat!("SELECT ", row::head!(), ", value FROM version WHERE id = ?1");
    match row::version_key(token, version) {
        Some(key) => one(c, SQL, [key], |found| row::version(found, 0)),
        None => Ok(None),
    }
}

pub(super) fn versions(c: &Connection, token: i64) -> Result<Vec<VersionHead>, Fault> {
    const SQL: &str = concat!("SELECT ", row::head!(), " FROM version WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    match row::version_keys(token) {
        Some(range) => all(c, SQL, range, |found| row::version_head(found, 0)),
        None => Ok(Vec::new()),
    }
}

pub(super) fn audit_head(c: &Connection) -> Result<Option<AuditRow>, Fault> {
    one(c, &format!("SELECT {} FROM audit ORDER BY seq DESC LIMIT 1", row::AUDIT), [], row::audit)
}

pub(super) fn audit(c: &Connection, after: u64, limit: usize) -> Result<Vec<AuditRow>, Fault> {
    let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
    let sql = format!("SELECT {} FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2", row::AUDIT);
    all(c, &sql, (after, limit_of(limit)), row::audit)
}

pub(super) fn audit_before(c: &Connection, before: u64, limit: usize) -> Result<Vec<AuditRow>, Fault> {
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let sql = format!("SELECT {} FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", row::AUDIT);
    all(c, &sql, (before, limit_of(limit)), row::audit)
}

/// Of a blob alone the length is read, and not its bytes.
pub(super) fn audit_bytes(c: &Connection, after: u64, limit: usize) -> Result<Option<(u64, u64)>, Fault> {
    const SQL: &str = "SELECT max(seq), sum(bytes) FROM \
                       (SELECT seq, length(record) + length(chain) AS bytes FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2)";
    let Ok(after) = i64::try_from(after) else { return Ok(None) };
    let found: Option<(Option<i64>, Option<i64>)> =
        one(c, SQL, (after, limit_of(limit)), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match found {
        Some((Some(last), Some(bytes))) => Some((last.unsigned_abs(), bytes.unsigned_abs())),
        _ => None,
    })
}

/// One row per principal: their counters are kept, not counted.
pub(super) fn totals(c: &Connection) -> Result<Totals, Fault> {
    const SQL: &str =
        "SELECT coalesce(sum(tokens), 0), coalesce(sum(bytes), 0), coalesce(sum(issued), 0) FROM principal";
    let sums: Option<[i64; 3]> = one(c, SQL, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    let [tokens, bytes, issued] = sums.unwrap_or_default().map(i64::unsigned_abs);
    Ok(Totals { tokens, bytes, issued })
}

pub(super) fn count_versions_of(c: &Connection, token: i64) -> Result<u64, Fault> {
    let Some(range) = row::version_keys(token) else { return Ok(0) };
    let count: Option<i64> =
        one(c, "SELECT count(*) FROM version WHERE id BETWEEN ?1 AND ?2", range, |row| row.get(0))?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

pub(super) fn count_versions(c: &Connection) -> Result<u64, Fault> {
    let count: Option<i64> = one(c, "SELECT count(*) FROM version", [], |row| row.get(0))?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// A limit as SQLite takes it.
pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::{connection, migration};

    /// An empty store: the writer's connection, and a reader's.
    fn store(dir: &tempfile::TempDir) -> (Connection, Connection) {
        let path = dir.path().join("vault.db");
        std::fs::write(&path, b"").unwrap();
        let mut writer = connection::look(&path).unwrap();
        connection::own(&writer).unwrap();
        migration::build(&mut writer).unwrap();
        let reader = connection::reader(&path).unwrap();
        (writer, reader)
    }

    #[test]
    fn another_one_is_found_in_as_many_steps_wherever_it_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = store(&dir);
        assert!(token_id_or_other(&reader, &[7; 32]).unwrap().is_none());
        assert!(principal_or_other(&reader, &[7; 32]).unwrap().is_none());
        for id in [1_u8, 2] {
            let tag: Tag = [id * 0x40; 32];
            writer
                .execute("INSERT INTO principal VALUES (?1, ?2, zeroblob(16), 0, 0, x'', x'', 0)", (id, &tag))
                .unwrap();
            writer.execute("INSERT INTO token VALUES (?1, 1, ?2, 0, 0, x'')", (id, &tag)).unwrap();
        }
        let steps = |reader: &Connection| {
            let statement = reader.prepare_cached(TOKEN_OR_NEXT).unwrap();
            let counts = [StatementStatus::Run, StatementStatus::VmStep].map(|status| statement.reset_status(status));
            drop(statement);
            counts
        };
        steps(&reader);
        let mut taken = Vec::new();
        // There, before, between, and behind the last.
        for (first, found) in [(0x40, 1), (0x80, 2), (0, 1), (0x41, 2), (0x81, 1), (0xfe, 1)] {
            let tag: Tag = [first; 32];
            assert_eq!(token_id_or_other(&reader, &tag).unwrap().map(|(id, _)| id), Some(found), "{first:#x}");
            assert_eq!(principal_or_other(&reader, &tag).unwrap().map(|row| row.id), Some(found), "{first:#x}");
            taken.push(steps(&reader));
        }
        assert!(taken.iter().all(|steps| *steps == taken[0] && steps[0] == 2), "{taken:?}");
    }

    #[test]
    fn the_read_path_is_planned_once() {
        let dir = tempfile::tempdir().unwrap();
        let (_writer, reader) = store(&dir);
        for version in [None, Some(1), None, Some(2)] {
            assert!(token_with_value(&reader, 1, &[7; 32], version).unwrap().is_none());
        }
        let statement = reader.prepare_cached(TOKEN_WITH_VALUE).unwrap();
        assert_eq!(statement.get_status(StatementStatus::Run), 4);
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
