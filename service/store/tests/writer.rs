//! The writer: group commit, savepoints, the queue's bounds and its end.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use common::*;
use tokenvault_core::port::{JobFailure, KeyringRow, MetaKey, Store, StoreError, Totals, WriteJob, WriteTx};
use tokenvault_store::{SqliteStore, StoreOptions};

#[test]
fn what_waits_is_committed_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let before = store.counters();
    let (release, first) = occupy(&store);
    let told: Vec<_> = (0..100)
        .map(|number| {
            let (work, told) = job(move |tx| insert(tx, alice, &format!("t{number}"), b"value").map(|_| ()));
            store.submit(Box::new(work));
            told
        })
        .collect();
    release.send(()).unwrap();
    first.recv().unwrap().unwrap();
    told.iter().for_each(|told| told.recv().unwrap().unwrap());
    let after = store.counters();
    // The job that kept the writer busy wrote nothing.
    assert_eq!((after.commits - before.commits, after.writes - before.writes), (1, 100));
    assert_eq!(read(&store, |tx| tx.totals()).tokens, 100);
}

#[test]
fn a_long_queue_is_committed_in_batches_of_a_bounded_size() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue: 4096 + 64, ..StoreOptions::default() };
    let store = SqliteStore::open(&dir.path().join("state"), options).unwrap();
    let before = store.counters();
    let (release, _first) = occupy(&store);
    let told: Vec<_> = (0..4096 + 64)
        .map(|_| {
            let (work, told) = job(|tx| tx.set_meta(MetaKey::SlotMac, b"mac"));
            store.submit(Box::new(work));
            told
        })
        .collect();
    drop(release);
    told.iter().for_each(|told| told.recv().unwrap().unwrap());
    let after = store.counters();
    assert_eq!((after.commits - before.commits, after.writes - before.writes), (17, 4096 + 64));
}

#[test]
fn the_longest_queue_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue: usize::MAX, ..StoreOptions::default() };
    let store = SqliteStore::open(&dir.path().join("state"), options).unwrap();
    write(&store, |tx| tx.set_meta(MetaKey::SlotMac, b"mac")).unwrap();
}

#[test]
fn a_job_without_writes_is_answered_by_the_writer_and_costs_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    add_principal(&store, 1000);
    let log = || std::fs::metadata(state.join("vault.db-wal")).unwrap().len();
    let (commits, length) = (store.counters().commits, log());
    let (release, first) = occupy(&store);
    let (work, told) = job(|_| Ok(()));
    store.submit(Box::new(work));
    assert!(told.try_recv().is_err(), "it was answered while the writer was busy with another");
    drop(release);
    first.recv().unwrap().unwrap();
    told.recv().unwrap().unwrap();
    assert_eq!((store.counters().commits, log()), (commits, length));
}

#[test]
fn a_batch_that_was_undone_costs_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    let log = || std::fs::metadata(state.join("vault.db-wal")).unwrap().len();
    let (commits, length) = (store.counters().commits, log());
    let undone = write(&store, move |tx| {
        insert(tx, alice, "mail", b"value")?;
        Err(StoreError::Internal("changed its mind".into()))
    });
    undone.unwrap();
    assert_eq!((store.counters().commits, log()), (commits, length));
    assert_eq!(id_of(&store, alice, "mail"), None);
}

#[test]
fn writers_on_many_threads_share_commits_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let before = store.counters().commits;
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for thread in 0..16 {
            let (store, barrier) = (&store, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..50 {
                    put(store, alice, &format!("{thread}/{number}"), b"value").unwrap();
                }
            });
        }
    });
    let commits = store.counters().commits - before;
    assert!(commits < 800, "{commits} commits for 800 writes");
    assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 800, bytes: 4000, issued: 0 });
    assert_eq!(read(&store, |tx| tx.tokens(alice, &[], 0, 1000)).len(), 800);
}

#[test]
fn a_job_that_fails_is_undone_and_its_neighbours_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let commits = store.counters().commits;
    let (release, _first) = occupy(&store);
    let mut told = Vec::new();
    for number in 0..10 {
        let (work, receiver) = job(move |tx| {
            insert(tx, alice, &format!("t{number}"), b"value")?;
            if number % 2 == 0 { Ok(()) } else { Err(StoreError::Internal("changed its mind".into())) }
        });
        store.submit(Box::new(work));
        told.push(receiver);
    }
    drop(release);
    for receiver in told {
        receiver.recv().unwrap().unwrap();
    }
    assert_eq!(store.counters().commits, commits + 1);
    for number in 0..10 {
        assert_eq!(id_of(&store, alice, &format!("t{number}")).is_some(), number % 2 == 0, "{number}");
    }
}

#[test]
fn a_job_sees_what_it_wrote_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    write(&store, move |tx| {
        let id = insert(tx, alice, "mail", b"value")?;
        assert_eq!(tx.token(alice, &tag("mail"))?.map(|token| token.id), Some(id));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_job_that_panics_is_undone_and_the_writer_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let told = write(&store, move |tx| {
        insert(tx, alice, "mail", b"value")?;
        panic!("on purpose");
    });
    assert!(matches!(told, Err(StoreError::Internal(_))), "{told:?}");
    assert_eq!(id_of(&store, alice, "mail"), None);
    put(&store, alice, "mail", b"value").unwrap();
}

struct PanicsWhenTold;

impl WriteJob for PanicsWhenTold {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        tx.set_meta(MetaKey::SlotMac, b"written").map_err(|_| JobFailure)
    }

    fn finish(self: Box<Self>, _: Told) {
        panic!("on purpose");
    }
}

#[test]
fn a_job_that_panics_when_it_is_told_does_not_end_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    store.submit(Box::new(PanicsWhenTold));
    write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"id")).unwrap();
    assert_eq!(read(&store, |tx| tx.meta(MetaKey::SlotMac)).as_deref(), Some(&b"written"[..]));
}

#[test]
fn a_full_queue_is_busy_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { queue: 2, ..StoreOptions::default() };
    let store = SqliteStore::open(&dir.path().join("state"), options).unwrap();
    let (release, _first) = occupy(&store);
    let submit = || {
        let (work, told) = job(|tx| tx.set_meta(MetaKey::SlotMac, b"mac"));
        store.submit(Box::new(work));
        told
    };
    let (second, third, fourth) = (submit(), submit(), submit());
    assert!(matches!(fourth.try_recv(), Ok(Err(StoreError::Busy))));
    drop(release);
    second.recv().unwrap().unwrap();
    third.recv().unwrap().unwrap();
}

#[test]
fn closing_the_store_writes_what_was_queued() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    let (release, _first) = occupy(&store);
    let told: Vec<_> = (0..300)
        .map(|number| {
            let (work, told) = job(move |tx| insert(tx, alice, &format!("t{number}"), b"value").map(|_| ()));
            store.submit(Box::new(work));
            told
        })
        .collect();
    drop(release);
    drop(store);
    told.iter().for_each(|told| told.try_recv().unwrap().unwrap());
    assert_eq!(read(&open(&state), |tx| tx.totals()).tokens, 300);
}

/// A job after whose end others go by what it was told.
struct Turns(Arc<AtomicBool>);

impl WriteJob for Turns {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        tx.set_meta(MetaKey::SlotMac, b"anew").map_err(|_| JobFailure)
    }

    fn finish(self: Box<Self>, committed: Told) {
        self.0.store(committed.is_ok(), Ordering::SeqCst);
    }

    fn is_last(&self) -> bool {
        true
    }
}

#[test]
fn what_comes_behind_the_last_job_of_a_commit_runs_when_that_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let has_turned = Arc::new(AtomicBool::new(false));
    let before_all = store.counters();
    let (release, _first) = occupy(&store);
    let seen = |expected: bool| {
        let turned = Arc::clone(&has_turned);
        let (work, told) = job(move |tx| {
            assert_eq!(turned.load(Ordering::SeqCst), expected);
            tx.set_meta(MetaKey::VaultId, b"id")
        });
        store.submit(Box::new(work));
        told
    };
    let before = seen(false);
    store.submit(Box::new(Turns(Arc::clone(&has_turned))));
    let after = [seen(true), seen(true)];
    drop(release);
    before.recv().unwrap().unwrap();
    after.iter().for_each(|told| told.recv().unwrap().unwrap());
    // Together with what comes before it, and that behind it together.
    let after_all = store.counters();
    assert_eq!((after_all.commits - before_all.commits, after_all.writes - before_all.writes), (2, 4));
}

#[test]
fn a_term_of_a_key_is_removed_and_none_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let row = |term| KeyringRow { purpose: "users".into(), term, wrapped: vec![7; 4] };
    write(&store, move |tx| (1..=2).try_for_each(|term| tx.put_keyring(&row(term)))).unwrap();
    for _ in 0..2 {
        write(&store, |tx| tx.delete_keyring("users", 1)).unwrap();
    }
    write(&store, |tx| tx.delete_keyring("audit", 2)).unwrap();
    let kept = read(&store, |tx| tx.keyring());
    assert_eq!(kept.iter().map(|row| row.term).collect::<Vec<_>>(), [2]);
}

struct OwnsTheStore(Arc<SqliteStore>, std::sync::mpsc::Sender<Told>);

impl WriteJob for OwnsTheStore {
    fn run(&mut self, _: &mut dyn WriteTx) -> Result<(), JobFailure> {
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Told) {
        let Self(store, told) = *self;
        drop(store);
        told.send(committed).unwrap();
    }
}

#[test]
fn the_last_owner_of_the_store_may_be_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&dir.path().join("state")));
    let (release, _first) = occupy(&store);
    let (told, receiver) = channel();
    store.submit(Box::new(OwnsTheStore(Arc::clone(&store), told)));
    drop(store);
    drop(release);
    receiver.recv().unwrap().unwrap();
}

#[test]
fn a_snapshot_stands_still_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    put(&store, alice, "mail", b"old").unwrap();
    let id = id_of(&store, alice, "mail").unwrap();
    store
        .read(&mut |tx| {
            assert_eq!(tx.totals()?.tokens, 1);
            // Both come back while this snapshot is open: a reader keeps no writer waiting.
            put(&store, alice, "more", b"new").unwrap();
            delete(&store, id).unwrap();
            assert_eq!(tx.totals()?.tokens, 1);
            assert_eq!(tx.tokens(alice, &[], 0, 10)?.len(), 1);
            assert!(tx.token_with_value(alice, &tag("mail"), None)?.is_some());
            assert!(tx.token(alice, &tag("more"))?.is_none());
            Ok(())
        })
        .unwrap();
    assert_eq!(id_of(&store, alice, "mail"), None);
    assert!(id_of(&store, alice, "more").is_some());
}

#[test]
fn a_snapshot_is_had_while_the_writer_is_inside_a_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let (release, first) = occupy(&store);
    assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 0, bytes: 0, issued: 0 });
    drop(release);
    first.recv().unwrap().unwrap();
}

#[test]
fn more_reads_than_readers_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { readers: 1, ..StoreOptions::default() };
    let store = SqliteStore::open(&dir.path().join("state"), options).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(read(&store, |tx| tx.totals()), Totals::default());
                }
            });
        }
    });
}

#[test]
fn a_read_that_panics_gives_its_reader_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { readers: 1, ..StoreOptions::default() };
    let store = SqliteStore::open(&dir.path().join("state"), options).unwrap();
    let panicked = thread::scope(|scope| scope.spawn(|| store.read(&mut |_| panic!("on purpose"))).join().is_err());
    assert!(panicked);
    write(&store, |tx| tx.set_meta(MetaKey::VaultId, b"id")).unwrap();
    assert!(read(&store, |tx| tx.meta(MetaKey::VaultId)).is_some());
}
