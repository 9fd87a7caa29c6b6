//! The size set for the store: it is not taken for a full disk, and what frees space goes on.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use tokenvault_core::Error;
use tokenvault_core::port::{AuditRow, MetaKey, Store, StoreError, Totals};
use tokenvault_store::{SqliteStore, StoreOptions};

const SIZE: u64 = 512 * 1024;

fn open_limited(dir: &Path, store_bytes: u64) -> SqliteStore {
    let options = StoreOptions { store_bytes, ..StoreOptions::default() };
    SqliteStore::open(&dir.join("state"), options).unwrap()
}

/// Puts tokens until the store has its size; the numbers that were acknowledged.
fn put_until_limit(store: &SqliteStore, principal: i64, from: u64) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for number in from..from + 10_000 {
        match put(store, principal, &format!("t{number}"), &noise(number, 3000)) {
            Ok(()) => acknowledged.push(number),
            Err(StoreError::Limit) => return acknowledged,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the store never reached its size");
}

#[test]
fn a_store_that_reached_its_size_still_deletes_and_uses_what_became_free() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_limited(dir.path(), SIZE);
    let alice = add_principal(&store, 1000);
    let mut kept = put_until_limit(&store, alice, 0);
    assert!((50..200).contains(&kept.len()), "{}", kept.len());
    assert!(store.status().disk_bytes > 400 * 1024);
    let gone: Vec<_> = kept.drain(..20).collect();
    for number in &gone {
        delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
    }
    let more = put_until_limit(&store, alice, 1000);
    assert!(more.len() > 10, "{} writes where 20 were deleted", more.len());
    kept.extend(more);
    for number in &kept {
        assert_eq!(value_of(&store, alice, &format!("t{number}")).as_deref(), Some(&noise(*number, 3000)[..]));
    }
    assert_eq!(read(&store, |tx| tx.tokens(alice, &[], 0, usize::MAX)).len(), kept.len());
    let status = store.status();
    assert_eq!((status.read_only, status.damaged), (None, None));
    store.verify_structure().unwrap();
    drop(store);
    let size = fs::metadata(dir.path().join("state/vault.db")).unwrap().len();
    assert!(size <= SIZE + 256 * 1024, "{size}");
}

#[test]
fn one_write_that_passes_the_size_does_not_fail_its_neighbours_nor_cost_a_commit_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_limited(dir.path(), SIZE);
    let alice = add_principal(&store, 1000);
    let before = store.counters();
    let (release, _first) = occupy(&store);
    let told: Vec<_> = [100, 1024 * 1024, 200]
        .into_iter()
        .map(|size| {
            let (work, told) = job(move |tx| insert(tx, alice, &format!("s{size}"), &noise(1, size)).map(|_| ()));
            store.submit(Box::new(work));
            told
        })
        .collect();
    drop(release);
    let told: Vec<_> = told.into_iter().map(|told| told.recv().unwrap()).collect();
    assert!(matches!(told[..], [Ok(()), Err(StoreError::Limit), Ok(())]), "{told:?}");
    assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 2, bytes: 300, issued: 0 });
    let after = store.counters();
    assert_eq!((after.commits - before.commits, after.writes - before.writes), (1, 2));
}

#[test]
fn a_job_that_frees_may_pass_the_size_a_little_for_its_own_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_limited(dir.path(), SIZE);
    let alice = add_principal(&store, 1000);
    put_until_limit(&store, alice, 0);
    let row = |seq| AuditRow { seq, record: noise(seq, 16 * 1024), chain: [0; 32] };
    assert!(matches!(write(&store, move |tx| tx.append_audit(&row(1))), Err(StoreError::Limit)));
    let (work, told) = delete_job(move |tx| tx.append_audit(&row(1)));
    store.submit(Box::new(work));
    told.recv().unwrap().unwrap();
    let (work, told) = delete_job(move |tx| {
        (2..100).try_for_each(|seq| tx.append_audit(&row(seq)))?;
        Ok(())
    });
    store.submit(Box::new(work));
    assert!(matches!(told.recv().unwrap(), Err(StoreError::Limit)), "there is an end to it");
}

#[test]
fn a_size_below_that_of_the_file_refuses_only_what_grows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_limited(dir.path(), 0);
    let alice = add_principal(&store, 1000);
    write(&store, |tx| tx.set_meta(MetaKey::SlotMac, b"old")).unwrap();
    for number in 0..50 {
        put(&store, alice, &format!("t{number}"), &noise(number, 3000)).unwrap();
    }
    drop(store);
    let store = open_limited(dir.path(), 4096);
    assert!(matches!(put(&store, alice, "more", &noise(1, 20_000)), Err(StoreError::Limit)));
    write(&store, |tx| tx.set_meta(MetaKey::SlotMac, b"new")).unwrap();
    delete(&store, id_of(&store, alice, "t7").unwrap()).unwrap();
    assert_eq!(id_of(&store, alice, "t7"), None);
}

#[test]
fn the_caller_is_told_which_limit_it_was() {
    let error = Error::from(StoreError::Limit);
    assert!(matches!(error, Error::LimitsExceeded { limit: "store-bytes", .. }), "{error}");
}
