//! Another store takes the place of the one in use: all of it or nothing, and never a mixture.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::account::{assert_whole, watch};
use common::*;
use rusqlite::Connection;
use tempfile::TempDir;
use tokenvault_core::port::{Cell, MetaKey, Replacement, RowSink, Store, StoreError};
use tokenvault_store::{SCHEMA, SqliteStore};

/// A cell of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Owned {
    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(number) => Cell::Integer(*number),
            Self::Text(text) => Cell::Text(text),
            Self::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<Owned>>,
}

/// Everything that stands in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Everything(Vec<Table>);

impl RowSink for Everything {
    fn table(&mut self, name: &str, columns: &[&str]) -> bool {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self.0.push(Table { name: name.to_owned(), columns, rows: Vec::new() });
        true
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> bool {
        let own = |cell: &Cell<'_>| match cell {
            Cell::Null => Owned::Null,
            Cell::Integer(number) => Owned::Integer(*number),
            Cell::Text(text) => Owned::Text((*text).to_owned()),
            Cell::Blob(bytes) => Owned::Blob(bytes.to_vec()),
        };
        self.0.last_mut().unwrap().rows.push(cells.iter().map(own).collect());
        true
    }
}

impl Everything {
    fn of(store: &SqliteStore) -> Self {
        let mut all = Self::default();
        assert!(read(store, |tx| {
            all = Self::default();
            tx.dump(&mut all)
        }));
        all
    }

    fn table(&mut self, name: &str) -> &mut Table {
        self.0.iter_mut().find(|table| table.name == name).unwrap()
    }

    /// Puts all of it into a replacement.
    fn fill(&self, into: &mut dyn Replacement) -> Result<(), StoreError> {
        for table in &self.0 {
            let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            into.begin_table(&table.name, &columns)?;
            for row in &table.rows {
                let cells: Vec<Cell<'_>> = row.iter().map(Owned::cell).collect();
                into.insert(&cells)?;
            }
        }
        into.complete()
    }
}

/// A directory with a store in which `names` are; the last of them was deleted again.
fn store_with(names: &[&str]) -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let store = open(dir.path());
    let owner = add_principal(&store, 1001);
    for name in names {
        put(&store, owner, name, &noise(name.len() as u64, 300)).unwrap();
    }
    put(&store, owner, "deleted", b"1").unwrap();
    delete(&store, id_of(&store, owner, "deleted").unwrap()).unwrap();
    write(&store, |tx| tx.set_meta(MetaKey::VaultId, &[7; 16])).unwrap();
    (dir, store)
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect();
    names.sort();
    names
}

#[test]
fn a_store_that_was_put_together_from_all_rows_of_another_is_that_other_one() {
    let (_source, source) = store_with(&["a", "bb", "ccc"]);
    let all = Everything::of(&source);
    let (dir, store) = store_with(&["old"]);
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    all.fill(&mut *new).unwrap();
    let taken = new.take_place(true).unwrap();
    assert_eq!((taken.kept.as_deref(), taken.unusable.is_none()), (Some("vault.db.replaced-1"), true));
    assert_eq!(Everything::of(&store), all);
    assert_eq!(fs::metadata(dir.path().join("vault.db")).unwrap().mode() & 0o7777, 0o600);
    // A number that was given before never comes again, though its row is gone.
    put(&store, 1, "new", b"1").unwrap();
    assert_eq!(id_of(&store, 1, "new"), Some(5));
    drop(store);
    let store = open(dir.path());
    assert_eq!(value_of(&store, 1, "ccc").unwrap(), noise(3, 300));
    assert_eq!(value_of(&store, 1, "old"), None);
    assert_eq!(files(dir.path()), ["vault.db", "vault.db.replaced-1", "vault.db.reserve", "vault.lock"]);
    // And what was in use before can be used again.
    let kept = dir.path().join("vault.db.replaced-1");
    drop(store);
    fs::rename(kept, dir.path().join("vault.db")).unwrap();
    assert!(value_of(&open(dir.path()), 1, "old").is_some());
}

#[test]
fn what_is_not_kept_is_gone_and_what_is_not_taken_leaves_nothing() {
    let (dir, store) = store_with(&["old"]);
    let before = files(dir.path());
    let all = Everything::of(&store);
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    all.fill(&mut *new).unwrap();
    drop(new);
    assert_eq!((files(dir.path()), Everything::of(&store)), (before.clone(), all.clone()));
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    all.fill(&mut *new).unwrap();
    assert_eq!(new.take_place(false).unwrap().kept, None);
    assert_eq!(files(dir.path()), before);
    // Also what a daemon that was killed has left.
    drop(store);
    fs::write(dir.path().join("vault.db.restored"), b"half").unwrap();
    drop(open(dir.path()));
    assert!(!dir.path().join("vault.db.restored").exists());
    // And one that was killed just before the rename: what was to be kept is the store itself.
    let file = |name: &str| dir.path().join(name);
    fs::hard_link(file("vault.db"), file("vault.db.replaced-2")).unwrap();
    fs::copy(file("vault.db"), file("vault.db.replaced-1")).unwrap();
    drop(open(dir.path()));
    assert_eq!((file("vault.db.replaced-1").exists(), file("vault.db.replaced-2").exists()), (true, false));
}

#[test]
fn rows_that_cannot_stand_or_do_not_belong_together_are_refused() {
    let (_source, source) = store_with(&["a", "bb"]);
    let all = Everything::of(&source);
    type Spoil = fn(&mut Everything);
    let spoils: [(&str, Spoil); 9] = [
        ("an unknown table", |all| all.0[0].name = "tables".into()),
        ("a table of SQLite's", |all| all.0[0].name = "sqlite_schema".into()),
        ("a statement for a name", |all| all.0[0].name = "meta; DROP TABLE slot".into()),
        ("another column", |all| all.table("token").columns[2] = "tag".into()),
        ("a row that is too short", |all| drop(all.table("token").rows[0].pop())),
        ("a row that comes twice", |all| {
            let row = all.table("token").rows[0].clone();
            all.table("token").rows.push(row);
        }),
        ("a text where a number belongs", |all| all.table("token").rows[0][3] = Owned::Text("one".into())),
        ("a token of nobody", |all| all.table("principal").rows.clear()),
        ("a token without its version", |all| drop(all.table("version").rows.remove(1))),
    ];
    let (dir, store) = store_with(&["old"]);
    let (before, names) = (Everything::of(&store), files(dir.path()));
    for (what, spoil) in spoils {
        let mut spoiled = all.clone();
        spoil(&mut spoiled);
        let mut new = store.begin_replacement(SCHEMA).unwrap();
        let refused = spoiled.fill(&mut *new);
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{what}: {refused:?}");
        drop(new);
        assert_eq!((Everything::of(&store), files(dir.path())), (before.clone(), names.clone()), "{what}");
    }
    assert!(store.status().damaged.is_none(), "the store in use is not at fault");
    for schema in [0, SCHEMA + 1] {
        assert!(matches!(store.begin_replacement(schema).err(), Some(StoreError::Newer { .. })));
    }
}

#[test]
fn rows_of_every_earlier_schema_are_brought_up() {
    for schema in 1..SCHEMA {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/schema-{schema}.db"));
        let connection = Connection::open(fixture).unwrap();
        let mut names: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%' ORDER BY name LIKE 'sqlite%', rowid")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        names.dedup();
        let mut all = Everything::default();
        for name in names {
            let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            all.table_of(&name, &columns);
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let cell = |at| match row.get_ref(at).unwrap() {
                    rusqlite::types::ValueRef::Null => Owned::Null,
                    rusqlite::types::ValueRef::Integer(number) => Owned::Integer(number),
                    rusqlite::types::ValueRef::Text(text) => Owned::Text(String::from_utf8(text.to_vec()).unwrap()),
                    rusqlite::types::ValueRef::Blob(bytes) => Owned::Blob(bytes.to_vec()),
                    rusqlite::types::ValueRef::Real(_) => panic!("the store has no such column"),
                };
                all.0.last_mut().unwrap().rows.push((0..columns.len()).map(cell).collect());
            }
        }
        let (_dir, store) = store_with(&["old"]);
        let mut new = store.begin_replacement(schema).unwrap();
        all.fill(&mut *new).unwrap();
        new.take_place(false).unwrap();
        let tokens = Everything::of(&store).table("token").rows.len();
        assert_eq!(tokens, all.table("token").rows.len(), "schema {schema}");
        assert!(tokens > 0);
    }
}

impl Everything {
    fn table_of(&mut self, name: &str, columns: &[String]) {
        self.0.push(Table { name: name.to_owned(), columns: columns.to_vec(), rows: Vec::new() });
    }
}

#[test]
fn nobody_who_reads_or_writes_meanwhile_sees_half_of_it_and_nothing_is_accounted_for_by_the_old_key() {
    let (_source, source) = store_with(&["a"]);
    let all = Everything::of(&source);
    let (_dir, store) = store_with(&["old"]);
    let watched = watch(&store);
    put(&store, 1, "accounted for", b"1").unwrap();
    assert_whole(&store);
    let store = Arc::new(store);
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    all.fill(&mut *new).unwrap();
    let barrier = Arc::new(Barrier::new(5));
    let (done, ended) = channel::<()>();
    let ended = Arc::new(std::sync::Mutex::new(ended));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, barrier, ended) = (Arc::clone(&store), Arc::clone(&barrier), Arc::clone(&ended));
            thread::spawn(move || {
                barrier.wait();
                loop {
                    let (old, new) = (value_of(&store, 1, "old").is_some(), value_of(&store, 1, "a").is_some());
                    assert!(old || new, "neither of them");
                    if matches!(ended.lock().unwrap().try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
                        assert!(value_of(&store, 1, "a").is_some());
                        return;
                    }
                }
            })
        })
        .collect();
    barrier.wait();
    new.take_place(false).unwrap();
    drop(done);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    // The one who accounted for the rows before knows nothing of these.
    write(&store, |tx| tx.set_meta(MetaKey::RowSum, &[1; 32])).unwrap();
    assert!(matches!(put(&store, 1, "b", b"1"), Err(StoreError::Internal(_))));
    drop(watched);
}

#[test]
fn a_reader_that_does_not_end_keeps_the_store_in_use() {
    let (_source, source) = store_with(&["a"]);
    let (dir, store) = store_with(&["old"]);
    let (before, names) = (Everything::of(&store), files(dir.path()));
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    Everything::of(&source).fill(&mut *new).unwrap();
    let store = Arc::new(store);
    let (begun_sender, begun) = channel();
    let (release, released) = channel::<()>();
    let reading = Arc::clone(&store);
    let reader = thread::spawn(move || {
        reading
            .read(&mut |_| {
                begun_sender.send(()).unwrap();
                let _until_dropped = released.recv();
                Ok(())
            })
            .unwrap();
    });
    begun.recv().unwrap();
    assert!(matches!(new.take_place(true), Err(StoreError::Io(text)) if text.contains("still reads")));
    drop(release);
    reader.join().unwrap();
    assert_eq!((Everything::of(&store), files(dir.path())), (before, names));
    put(&store, 1, "goes on", b"1").unwrap();
}

#[test]
fn who_reads_aside_is_waited_for() {
    let (_source, source) = store_with(&["a"]);
    let (_dir, store) = store_with(&["old"]);
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    Everything::of(&source).fill(&mut *new).unwrap();
    let (begun_sender, begun) = channel();
    let (release, released) = channel::<()>();
    let (taken_sender, taken) = channel();
    thread::scope(|scope| {
        let reading = &store;
        scope.spawn(move || {
            reading
                .read_aside(&mut |_| {
                    begun_sender.send(()).unwrap();
                    let _until_dropped = released.recv();
                    Ok(())
                })
                .unwrap();
        });
        begun.recv().unwrap();
        scope.spawn(move || taken_sender.send(new.take_place(false)).unwrap());
        assert!(taken.recv_timeout(Duration::from_millis(500)).is_err(), "it was not waited for");
        // Others go on reading until it has ended.
        assert!(value_of(&store, 1, "old").is_some());
        drop(release);
        taken.recv().unwrap().unwrap();
    });
    assert!(value_of(&store, 1, "a").is_some());
}
