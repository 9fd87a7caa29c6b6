//! Damage that is met while the store serves: it is named, nothing is read or written any more, and the files stay as they are.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::*;
use tokenvault_core::port::{MetaKey, Store, StoreError};
use tokenvault_store::SqliteStore;

const TOKENS: i64 = 200;

/// A running store, in the middle of which a page is overwritten that it has not read yet.
fn damaged_store() -> (tempfile::TempDir, PathBuf, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    for number in 1..=TOKENS {
        put(&store, alice, &format!("t{number}"), &noise(number as u64, 600)).unwrap();
    }
    drop(store);
    let store = open(&state);
    write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"id")).unwrap();
    let file = OpenOptions::new().write(true).open(state.join("vault.db")).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.write_all_at(&noise(3, 4096), pages / 2 * 4096).unwrap();
    (dir, state, store)
}

fn is_corrupt(told: &Told) -> bool {
    matches!(told, Err(StoreError::Corrupt(_)))
}

/// Reads values until the damage is met; whether it was.
fn meet_by_reading(store: &SqliteStore) -> bool {
    (1..=TOKENS).any(|id| is_corrupt(&store.read(&mut |tx| tx.version(id, 1).map(|_| ()))))
}

fn read_meta(store: &SqliteStore) -> Told {
    store.read(&mut |tx| tx.meta(MetaKey::VaultId).map(|_| ()))
}

fn files(state: &Path) -> [Vec<u8>; 2] {
    ["vault.db", "vault.db-wal"].map(|name| fs::read(state.join(name)).unwrap())
}

/// What holds after damage was met, however it was.
fn assert_out_of_service(state: &Path, store: SqliteStore) {
    let status = store.status();
    assert!(status.damaged.is_some_and(|what| what.contains("malformed")));
    assert_eq!(status.read_only, None);
    let told = read_meta(&store);
    assert!(is_corrupt(&told), "a read of whole pages: {told:?}");
    let told = write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"other"));
    assert!(is_corrupt(&told), "a write: {told:?}");
    let told = delete(&store, 1);
    assert!(is_corrupt(&told), "a delete: {told:?}");
    let before = files(state);
    drop(store);
    assert!(files(state) == before, "closing changed a file");
}

#[test]
fn damage_met_by_a_read_ends_reading_and_writing() {
    let (_dir, state, store) = damaged_store();
    read_meta(&store).unwrap();
    assert_eq!(store.status().damaged, None);
    assert!(meet_by_reading(&store));
    assert_out_of_service(&state, store);
}

#[test]
fn damage_met_by_a_write_ends_reading_and_writing() {
    let (_dir, state, store) = damaged_store();
    read_meta(&store).unwrap();
    assert!((1..=TOKENS).any(|id| is_corrupt(&delete(&store, id))));
    assert_out_of_service(&state, store);
}

#[test]
fn damage_met_by_the_slow_check_ends_reading_and_writing() {
    let (_dir, state, store) = damaged_store();
    read_meta(&store).unwrap();
    assert!(is_corrupt(&store.verify_structure()));
    let status = store.status();
    assert!(status.damaged.is_some() && status.read_only.is_none(), "{status:?}");
    assert!(is_corrupt(&read_meta(&store)));
    assert!(is_corrupt(&write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"other"))));
    let before = files(&state);
    drop(store);
    assert!(files(&state) == before, "closing changed a file");
}

#[test]
fn a_read_that_overlooks_damage_fails_all_the_same() {
    let (_dir, _state, store) = damaged_store();
    let told = store.read(&mut |tx| {
        (1..=TOKENS).for_each(|id| drop(tx.version(id, 1)));
        Ok(())
    });
    assert!(is_corrupt(&told), "{told:?}");
    assert!(store.status().damaged.is_some());
}

#[test]
fn what_the_work_of_a_read_reports_is_not_taken_for_damage_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let told = store.read(&mut |_| Err(StoreError::Corrupt("a record does not open".into())));
    assert!(is_corrupt(&told), "{told:?}");
    assert_eq!(store.status().damaged, None);
    read_meta(&store).unwrap();
}
