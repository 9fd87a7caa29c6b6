//! A deleted row is gone from every file, soon.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::*;
use tokenvault_core::port::Store;
use tokenvault_store::SqliteStore;

/// The disk has a part in it; when the writer begins is tested where that is decided.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files that hold `needle`.
fn holding(state: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let files = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| contains(&fs::read(path).unwrap(), needle)).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn log_bytes(state: &Path) -> u64 {
    fs::metadata(state.join("vault.db-wal")).unwrap().len()
}

fn wait_for_erasure(store: &SqliteStore, before: u64) {
    wait_until("the truncation of the log", PATIENCE, || store.counters().erasures > before);
}

#[test]
fn a_deleted_value_and_its_key_are_in_no_file_when_the_log_was_truncated() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    let value = noise(1, 3000);
    let large = noise(2, 70_000);
    put(&store, alice, "mail", &value).unwrap();
    put(&store, alice, "large", &large).unwrap();
    let (small_id, large_id) = (id_of(&store, alice, "mail").unwrap(), id_of(&store, alice, "large").unwrap());
    let needles: [&[u8]; 4] =
        [&value[100..132], &large[40_000..40_032], format!("dek of {small_id}/1").as_bytes(), b"meta of mail"]
            .map(|needle| Box::leak(needle.to_vec().into_boxed_slice()) as &[u8]);
    for needle in needles {
        assert!(!holding(&state, needle).is_empty(), "the control finds what was written");
    }
    delete(&store, small_id).unwrap();
    delete(&store, large_id).unwrap();
    // Each of the two may have had a truncation of its own.
    wait_until("the last truncation of the log", PATIENCE, || log_bytes(&state) == 0);
    for needle in needles {
        assert_eq!(holding(&state, needle), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_truncation_waits_for_an_older_reader_and_follows_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", &noise(1, 500)).unwrap();
    let id = id_of(&store, alice, "mail").unwrap();
    store
        .read(&mut |tx| {
            tx.totals()?;
            delete(&store, id).unwrap();
            // Writes go on beside the reader, and so do the writer's tries.
            for number in 0..50 {
                put(&store, alice, &format!("t{number}"), b"value").unwrap();
            }
            assert_eq!(store.counters().erasures, 0);
            assert!(tx.token_with_value(alice, &tag("mail"), None)?.is_some());
            Ok(())
        })
        .unwrap();
    wait_for_erasure(&store, 0);
    assert_eq!(log_bytes(&state), 0);
    assert_eq!(holding(&state, &noise(1, 500)[..32]), Vec::<PathBuf>::new());
}

#[test]
fn a_delete_whose_truncation_a_crash_prevented_is_erased_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (running, state) = (dir.path().join("running"), dir.path().join("state"));
    let store = open(&running);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", &noise(1, 500)).unwrap();
    let id = id_of(&store, alice, "mail").unwrap();
    drop(open(&state));
    store
        .read(&mut |tx| {
            tx.totals()?;
            delete(&store, id).unwrap();
            for name in ["vault.db", "vault.db-wal"] {
                fs::copy(running.join(name), state.join(name)).unwrap();
            }
            Ok(())
        })
        .unwrap();
    assert!(!holding(&state, &noise(1, 500)[..32]).is_empty());
    let store = open(&state);
    wait_for_erasure(&store, 0);
    assert_eq!(holding(&state, &noise(1, 500)[..32]), Vec::<PathBuf>::new());
}

#[test]
fn nothing_of_many_deleted_rows_stays_behind_in_pages_that_moved() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    let size = |number: u64| [40, 200, 700, 1500, 5000][(number % 5) as usize] + (number * 7 % 31) as usize;
    for number in 0..1500 {
        put(&store, alice, &format!("t{number}"), &noise(number + 1, size(number))).unwrap();
    }
    let gone: Vec<u64> = (0..1500).filter(|number| !noise(*number, 1)[0].is_multiple_of(3)).collect();
    for number in &gone {
        delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
    }
    wait_until("the last truncation of the log", PATIENCE, || log_bytes(&state) == 0);
    let file = fs::read(state.join("vault.db")).unwrap();
    let windows: HashSet<&[u8]> = file.windows(16).collect();
    let found = |number: &u64| windows.contains(&noise(number + 1, 16)[..]);
    let kept = (0..1500).filter(|number| !gone.contains(number));
    assert_eq!(kept.filter(found).count(), 1500 - gone.len(), "the control finds every value that was kept");
    let left = gone.iter().filter(|number| found(number)).count();
    assert_eq!(left, 0, "{left} of {} deleted values are still in the database", gone.len());
}
