//! Contents: what is finished stays as long as a version has it, what is not goes, and nobody waits for that.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use common::*;
use tempfile::TempDir;
use tokenvault_core::port::{JobFailure, Store, StoreError, VersionHead, VersionRow, WriteJob, WriteTx};
use tokenvault_store::SqliteStore;

const SOON: Duration = Duration::from_secs(20);
const BODY: usize = 65_617;

fn state() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    dir
}

/// Begins a content of so many chunks, for which 10 bytes each are held and counted.
fn begin(store: &SqliteStore, principal: i64, chunks: u32) -> i64 {
    let (sender, receiver) = channel();
    write(store, move |tx| {
        let content = tx.begin_content(principal)?;
        for number in 0..chunks {
            tx.insert_chunk(content, number, &noise(u64::from(number), BODY))?;
        }
        tx.hold_for_content(content, u64::from(chunks) * 10)?;
        tx.add_usage(principal, 0, i64::from(chunks) * 10)?;
        sender.send(content).unwrap();
        Ok(())
    })
    .unwrap();
    receiver.recv().unwrap()
}

fn give(tx: &mut dyn WriteTx, token: i64, version: u64, content: i64) -> Result<(), StoreError> {
    assert!(tx.use_content(content)?.is_some());
    let VersionRow { head, .. } = version_row(token, version, b"");
    tx.insert_version(&VersionRow { head: VersionHead { content: Some(content), ..head }, value: Vec::new() })
}

fn chunks(store: &SqliteStore, content: i64) -> usize {
    (0..512).filter(|number| read(store, |tx| tx.chunk(content, *number)).is_some()).count()
}

fn bytes(store: &SqliteStore, principal: i64) -> u64 {
    read(store, |tx| tx.principal_by_id(principal)).unwrap().bytes
}

#[test]
fn a_content_stays_as_long_as_one_version_has_it() {
    let dir = state();
    let store = open(dir.path());
    let alice = add_principal(&store, 1000);
    put(&store, alice, "t", b"1").unwrap();
    let content = begin(&store, alice, 3);
    assert!(!read(&store, |tx| tx.has_content(content)), "nobody has it before it is used");
    write(&store, move |tx| give(tx, 1, 2, content).and_then(|()| give(tx, 1, 3, content))).unwrap();
    write(&store, |tx| tx.delete_version(1, 2).map(drop)).unwrap();
    assert!(read(&store, |tx| tx.has_content(content)));
    assert_eq!(read(&store, |tx| tx.version_head(1, 3)).unwrap().content, Some(content));
    drop(store);
    let store = open(dir.path());
    assert_eq!((read(&store, |tx| tx.has_content(content)), chunks(&store, content)), (true, 3));
    delete(&store, 1).unwrap();
    assert!(!read(&store, |tx| tx.has_content(content)), "gone at once for whoever reads");
    wait_until("its chunks to go", SOON, || chunks(&store, content) == 0);
}

#[test]
fn a_token_that_goes_lets_go_of_every_version_of_its_content() {
    let dir = state();
    let store = open(dir.path());
    let alice = add_principal(&store, 1000);
    put(&store, alice, "t", b"1").unwrap();
    let (one, two) = (begin(&store, alice, 1), begin(&store, alice, 1));
    write(&store, move |tx| {
        give(tx, 1, 2, one)?;
        give(tx, 1, 3, one)?;
        give(tx, 1, 4, two)
    })
    .unwrap();
    delete(&store, 1).unwrap();
    wait_until("both to go", SOON, || chunks(&store, one) + chunks(&store, two) == 0);
}

#[test]
fn what_was_coming_in_when_the_store_was_closed_is_gone_and_not_counted_when_it_is_opened() {
    let dir = state();
    let store = open(dir.path());
    let alice = add_principal(&store, 1000);
    write(&store, move |tx| tx.add_usage(alice, 0, 7)).unwrap();
    let content = begin(&store, alice, 20);
    assert_eq!((bytes(&store, alice), chunks(&store, content)), (207, 20));
    drop(store);
    let store = open(dir.path());
    // What is written first sees it done.
    write(&store, move |tx| {
        assert_eq!(tx.principal_by_id(alice)?.map(|row| row.bytes), Some(7));
        assert_eq!(tx.use_content(content)?, None, "it cannot be finished any more");
        Ok(())
    })
    .unwrap();
    wait_until("its chunks to go", SOON, || chunks(&store, content) == 0);
    assert!(begin(&store, alice, 1) > content, "its number does not come again");
}

#[test]
fn a_content_that_has_ended_takes_no_more() {
    let dir = state();
    let store = open(dir.path());
    let alice = add_principal(&store, 1000);
    put(&store, alice, "t", b"1").unwrap();
    let (used, abandoned) = (begin(&store, alice, 1), begin(&store, alice, 1));
    write(&store, move |tx| {
        give(tx, 1, 2, used)?;
        assert_eq!(tx.abandon_content(abandoned)?, Some((alice, 10)));
        assert_eq!(tx.abandon_content(abandoned)?, None);
        assert_eq!(tx.abandon_content(used)?, None, "what a version has is not abandoned");
        assert_eq!(tx.use_content(abandoned)?, None);
        assert_eq!(tx.use_content(77)?, None);
        Ok(())
    })
    .unwrap();
    for content in [used, abandoned, 77] {
        write(&store, move |tx| {
            assert!(tx.insert_chunk(content, 5, b"more").is_err(), "{content}");
            assert!(tx.hold_for_content(content, 1).is_err(), "{content}");
            Ok(())
        })
        .unwrap();
    }
    assert!(read(&store, |tx| tx.has_content(used)));
}

#[test]
fn others_write_while_a_large_value_is_removed() {
    let dir = state();
    let store = open(dir.path());
    let alice = add_principal(&store, 1000);
    put(&store, alice, "t", b"1").unwrap();
    let content = begin(&store, alice, 256);
    write(&store, move |tx| give(tx, 1, 2, content)).unwrap();
    delete(&store, 1).unwrap();
    let mut between = 0;
    // The last one goes last, and is looked for in no time.
    while read(&store, |tx| tx.chunk(content, 255)).is_some() {
        put(&store, alice, &format!("u{between}"), b"1").unwrap();
        between += 1;
        assert!(between < 10_000, "the chunks stay");
    }
    assert!(between > 5, "only {between} writes came in between");
    wait_until("all of them to go", SOON, || chunks(&store, content) == 0);
}

/// Writes a row, and says that it is much.
struct Much {
    principal: i64,
    told: Sender<()>,
}

impl WriteJob for Much {
    fn run(&mut self, tx: &mut dyn WriteTx) -> Result<(), JobFailure> {
        tx.add_usage(self.principal, 0, 1).map_err(|_| JobFailure)
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        committed.unwrap();
        self.told.send(()).unwrap();
    }

    fn bytes(&self) -> usize {
        600 << 10
    }
}

#[test]
fn a_commit_ends_when_it_has_become_large() {
    let dir = state();
    let store = open(dir.path());
    let principal = add_principal(&store, 1000);
    let ((running, runs), (release, released)) = (channel(), channel::<()>());
    let (held, let_go) = job(move |_| {
        running.send(()).unwrap();
        let _let_go = released.recv();
        Ok(())
    });
    store.submit(Box::new(held));
    runs.recv().unwrap();
    let before = store.counters().commits;
    let (told, hear) = channel();
    (0..4).for_each(|_| store.submit(Box::new(Much { principal, told: told.clone() })));
    drop(release);
    let_go.recv().unwrap().unwrap();
    (0..4).for_each(|_| hear.recv().unwrap());
    assert_eq!(store.counters().commits - before, 2, "two of them are more than a commit takes");
}
