//! D7: a store of every schema so far, brought to this release: what ends it leaves the old schema or the new one, never one between,
//! and with either all of what was there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use tokenvault_store::{SCHEMA, SqliteStore, StoreOptions};

use super::ends::{Cause, End, each};
use super::record;
use crate::fixture::proof;

fn fixture(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("store/tests/fixtures/schema-{schema}.db"))
}

/// Brings a store of a schema to this release, in a directory of its own.
pub fn live(schema: u32) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    place(schema, dir.path());
    open(dir.path());
}

/// Puts the fixture where a store is, as something that was always there.
fn place(schema: u32, dir: &Path) {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(dir.join("vault.db")).unwrap();
    file.write_all_at(&fs::read(fixture(schema)).unwrap(), 0).unwrap();
    file.sync_all().unwrap();
    fs::File::open(dir).unwrap().sync_all().unwrap();
}

fn open(dir: &Path) {
    let store = SqliteStore::open(dir, StoreOptions::default()).unwrap();
    store.verify_structure().unwrap();
}

/// Schema and rows of a file, but for contents, which come and go by themselves.
fn rows(path: &Path) -> (i64, String) {
    let connection = Connection::open(path).unwrap();
    let schema = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let text = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns).map(|at| Ok(format!("{:?}", row.get::<_, Value>(at)?))).collect::<rusqlite::Result<String>>()
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    let tables =
        text("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('content', 'chunk') ORDER BY name");
    let each = tables.iter().map(|table| {
        let name = table.trim_start_matches("Text(\"").trim_end_matches("\")");
        format!("{name}: {:?}", text(&format!("SELECT * FROM {name} ORDER BY 1, 2")))
    });
    (schema, each.collect::<Vec<_>>().join("\n"))
}

/// What is left is of the one schema or the other, and opens with all there was.
fn check(end: &End, from: u32, (before, after): (&(i64, String), &(i64, String))) {
    let (dir, place) = (end.directory(), &end.place);
    let left = rows(&dir.path().join("vault.db"));
    assert!(left == *before || left.0 == after.0, "{place}: it is of schema {}", left.0);
    let copy = dir.path().join(format!("vault.db.before-{from}"));
    if copy.exists() {
        assert!(rows(&copy) == *before, "{place}: the copy is not what was there");
    }
    open(dir.path());
    assert!(rows(&dir.path().join("vault.db")) == *after, "{place}: not all is there");
}

#[test]
fn an_upgrade_from_any_schema_may_end_anywhere_needs_root_and_strace() {
    let mut ends = 0;
    for schema in 1..SCHEMA {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        place(schema, dir.path());
        let before = rows(&dir.path().join("vault.db"));
        open(dir.path());
        let after = rows(&dir.path().join("vault.db"));
        assert_eq!((before.0, after.0), (schema.into(), SCHEMA.into()));
        let steps = record(&schema.to_string());
        // The fixture and its name were synced first.
        let first = steps.iter().position(|step| *step == super::Step::SyncDirectory).unwrap();
        let places: Vec<usize> = (first..steps.len()).collect();
        for cause in [Cause::Kill, Cause::PowerCut] {
            each(&steps, cause, &places, |end| check(end, schema, (&before, &after)));
        }
        ends += 2 * places.len();
    }
    proof(
        "D7",
        &format!("{ends} ends of upgrades from {} schemas: each of the old or the new one, and whole", SCHEMA - 1),
    );
}
