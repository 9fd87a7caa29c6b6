//! What lies in the directory at the start: taken, refused, and never changed when it is refused.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::*;
use rusqlite::Connection;
use tokenvault_core::port::{MetaKey, Store, StoreError};
use tokenvault_store::{SCHEMA, SqliteStore, StoreOptions};

/// A closed store with a few rows in it.
fn closed_store() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fill(&open(&state));
    (dir, state)
}

fn fill(store: &SqliteStore) {
    let alice = add_principal(store, 1000);
    for number in 0..200 {
        put(store, alice, &format!("t{number}"), &noise(number, 600)).unwrap();
    }
}

/// A store as a crash leaves it: rows in the log that are not in the database.
fn crashed_store() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (running, state) = (dir.path().join("running"), dir.path().join("state"));
    let store = open(&running);
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    // An open snapshot keeps the writer from copying the log back before it is taken.
    store
        .read(&mut |tx| {
            tx.totals()?;
            fill(&store);
            for name in ["vault.db", "vault.db-wal"] {
                fs::copy(running.join(name), state.join(name)).unwrap();
            }
            Ok(())
        })
        .unwrap();
    assert!(fs::metadata(state.join("vault.db-wal")).unwrap().len() > 0);
    (dir, state)
}

/// Every file but the lock and the log's index, which SQLite makes anew from the log whenever it looks.
fn contents(state: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !["vault.lock", "vault.db-shm"].contains(&entry.file_name().to_str().unwrap()))
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// Opens what must be refused, twice, and makes sure that nothing was touched.
fn refused(state: &Path) -> StoreError {
    let before = contents(state);
    let open = || SqliteStore::open(state, StoreOptions::default()).err().expect("it is refused");
    open();
    let error = open();
    assert!(contents(state) == before, "a file was changed or removed");
    error
}

fn assert_corrupt(state: &Path, cause: &str) {
    match refused(state) {
        StoreError::Corrupt(text) => assert!(text.contains(cause), "'{text}' does not say '{cause}'"),
        other => panic!("{other}"),
    }
}

fn patch(path: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn a_new_store_is_readable_by_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"id")).unwrap();
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o7777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert!(["vault.db", "vault.db-wal", "vault.lock"].iter().all(|name| names.iter().any(|found| found == name)));
    assert!(store.status().disk_bytes > 0);
}

#[test]
fn a_second_opener_is_refused_until_the_first_has_closed() {
    let (_dir, state) = closed_store();
    let first = open(&state);
    let second = SqliteStore::open(&state, StoreOptions::default());
    assert!(matches!(second.err(), Some(StoreError::Held)));
    drop(first);
    open(&state);
}

#[test]
fn a_directory_open_to_others_is_refused_with_the_command_that_closes_it() {
    let (_dir, state) = closed_store();
    fs::set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
    let error = refused(&state).to_string();
    assert!(error.contains("mode 0750") && error.contains("chmod 0700"), "{error}");
}

#[test]
fn a_directory_of_another_user_is_refused_needs_root() {
    assert!(nix::unistd::geteuid().is_root(), "only root can give a directory away: run this test as root");
    let (_dir, state) = closed_store();
    std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
    let error = refused(&state).to_string();
    assert!(error.contains("belongs to uid 65534"), "{error}");
}

#[test]
fn a_missing_parent_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(&dir.path().join("no/state"), StoreOptions::default()).err().unwrap().to_string();
    assert!(error.contains("no/state"), "{error}");
}

#[test]
fn a_newer_schema_is_refused_by_its_number() {
    let (_dir, state) = closed_store();
    patch(&state.join("vault.db"), 60, &(SCHEMA + 1).to_be_bytes());
    let error = refused(&state);
    assert!(matches!(error, StoreError::Newer { found, known } if (found, known) == (SCHEMA + 1, SCHEMA)), "{error}");
}

#[test]
fn a_newer_schema_that_is_still_in_the_log_is_refused() {
    let (_dir, state) = crashed_store();
    let newer = Connection::open(state.join("vault.db")).unwrap();
    newer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    newer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    newer.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    drop(newer);
    assert_eq!(fs::read(state.join("vault.db")).unwrap()[60..64], SCHEMA.to_be_bytes());
    let error = refused(&state);
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
}

#[test]
fn the_database_of_another_program_is_refused() {
    let (_dir, state) = closed_store();
    fs::remove_file(state.join("vault.db")).unwrap();
    Connection::open(state.join("vault.db")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert_corrupt(&state, "belongs to another program");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let (_dir, state) = closed_store();
    fs::write(state.join("vault.db"), noise(1, 20_000)).unwrap();
    assert_corrupt(&state, "not a database");
    fs::write(state.join("vault.db"), b"short").unwrap();
    assert_corrupt(&state, "cut off");
}

#[test]
fn an_empty_file_is_not_taken_for_a_new_vault() {
    let (_dir, state) = crashed_store();
    fs::write(state.join("vault.db"), b"").unwrap();
    assert_corrupt(&state, "vault.db is empty");
    fs::remove_file(state.join("vault.db-wal")).unwrap();
    assert_corrupt(&state, "vault.db is empty");
}

#[test]
fn a_log_without_its_database_is_not_taken_for_an_empty_directory() {
    let (_dir, state) = crashed_store();
    fs::remove_file(state.join("vault.db")).unwrap();
    assert_corrupt(&state, "vault.db is missing");
}

#[test]
fn a_link_in_the_place_of_the_store_is_refused() {
    let (dir, state) = closed_store();
    let elsewhere = dir.path().join("elsewhere.db");
    fs::rename(state.join("vault.db"), &elsewhere).unwrap();
    symlink(&elsewhere, state.join("vault.db")).unwrap();
    assert_corrupt(&state, "not a regular file");
}

#[test]
fn a_journal_that_would_be_played_back_is_refused() {
    let (_dir, state) = closed_store();
    fs::write(state.join("vault.db-journal"), noise(1, 4096)).unwrap();
    assert_corrupt(&state, "vault.db-journal");
}

#[test]
fn a_truncated_file_is_refused() {
    let (_dir, state) = closed_store();
    let length = fs::metadata(state.join("vault.db")).unwrap().len();
    OpenOptions::new().write(true).open(state.join("vault.db")).unwrap().set_len(length / 2).unwrap();
    assert_corrupt(&state, "malformed");
}

#[test]
fn a_file_that_was_truncated_under_its_log_is_never_served_as_whole() {
    let (_dir, state) = crashed_store();
    OpenOptions::new().write(true).open(state.join("vault.db")).unwrap().set_len(8192).unwrap();
    if let Ok(store) = SqliteStore::open(&state, StoreOptions::default()) {
        assert!(matches!(store.verify_structure(), Err(StoreError::Corrupt(_))));
    }
}

#[test]
fn a_table_index_or_trigger_that_is_not_ours_is_refused() {
    for sql in [
        "CREATE TRIGGER copy AFTER INSERT ON version BEGIN DELETE FROM audit; END",
        "CREATE TABLE theirs (x)",
        "DROP INDEX token_principal",
        "DROP TABLE attribute",
    ] {
        let (_dir, state) = closed_store();
        Connection::open(state.join("vault.db")).unwrap().execute_batch(sql).unwrap();
        assert_corrupt(&state, &format!("the tables are not those of schema {SCHEMA}"));
    }
}

#[test]
fn damage_inside_the_file_is_found_by_the_slow_check_and_changes_nothing() {
    let (_dir, state) = closed_store();
    let length = fs::metadata(state.join("vault.db")).unwrap().len();
    patch(&state.join("vault.db"), length / 4096 / 2 * 4096, &noise(3, 4096));
    let store = open(&state);
    let error = store.verify_structure().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    drop(store);
    let error = open(&state).verify_structure().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

#[test]
fn rows_that_lost_their_other_half_are_found_by_the_slow_check() {
    for (sql, cause) in [
        ("DELETE FROM version WHERE id = (SELECT max(id) FROM version)", "no current version"),
        ("DELETE FROM token WHERE id = 1", "versions have no token"),
        ("DELETE FROM principal", "belong to nobody"),
        ("INSERT INTO audit VALUES (1, x'', zeroblob(32)), (3, x'', zeroblob(32))", "audit records are missing"),
    ] {
        let (_dir, state) = closed_store();
        Connection::open(state.join("vault.db"))
            .unwrap()
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
            .unwrap();
        let error = open(&state).verify_structure().unwrap_err().to_string();
        assert!(error.contains(cause), "{error}");
    }
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    drop(open(&state));
    fs::rename(state.join("vault.db"), state.join("vault.db.new")).unwrap();
    open(&state).verify_structure().unwrap();
    assert!(!state.join("vault.db.new").exists());
}

#[test]
fn a_crashed_store_has_everything_that_was_in_its_log() {
    let (_dir, state) = crashed_store();
    let store = open(&state);
    assert_eq!(read(&store, |tx| tx.totals()).tokens, 200);
    store.verify_structure().unwrap();
}
