//! A disk that fails: the batch is failed, the file is opened again, and after two faults in a row nothing is written.
//!
//! `strace` attaches to this process and makes its syncs fail: this needs root (or the right to trace) and strace.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio, id};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokenvault_core::port::{Replacement, Store, StoreError};
use tokenvault_store::{SCHEMA, SqliteStore};

/// The whole process is traced, so its tests take turns.
fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes syncs of this process fail until it is dropped.
struct FailingDisk {
    strace: Child,
}

impl FailingDisk {
    /// `when`: which of a thread's syncs fail, counted from now, in strace's own words.
    fn begin(when: &str) -> Self {
        Self::attach("fsync,fdatasync", &format!("error=EIO:when={when}"), &[])
    }

    /// Makes calls of this process that concern `path` fail so.
    fn begin_at(path: &Path, calls: &str, how: &str) -> Self {
        Self::attach(calls, how, &["-P", path.to_str().unwrap()])
    }

    fn attach(calls: &str, how: &str, more: &[&str]) -> Self {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{how}"));
        let mut strace = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", &trace, "-e", &inject, "-p", &id().to_string()])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs strace: {error}; install it"));
        let mut said = String::new();
        BufReader::new(strace.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "this test traces itself; run it as root ({})", said.trim());
        Self { strace }
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        // Asked to end, strace lets go of every thread first.
        kill(Pid::from_raw(self.strace.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        self.strace.wait().unwrap();
    }
}

#[test]
fn one_failed_sync_fails_its_batch_and_the_next_one_is_written_needs_root_and_strace() {
    let _turn = take_turn();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "before", b"value").unwrap();
    let failing = FailingDisk::begin("1");
    let (release, first) = occupy(&store);
    let (work, second) = job(move |tx| insert(tx, alice, "failed", b"value").map(|_| ()));
    store.submit(Box::new(work));
    release.send(()).unwrap();
    first.recv().unwrap().unwrap();
    let told = second.recv().unwrap();
    assert!(matches!(told, Err(StoreError::Io(_))), "{told:?}");
    assert_eq!(id_of(&store, alice, "failed"), None);
    put(&store, alice, "after", b"value").unwrap();
    drop(failing);
    assert_eq!(store.status().read_only, None);
    drop(store);
    let store = open(&state);
    store.verify_structure().unwrap();
    assert!(id_of(&store, alice, "before").is_some() && id_of(&store, alice, "after").is_some());
}

#[test]
fn two_failed_syncs_in_a_row_end_writing_but_not_reading_needs_root_and_strace() {
    let _turn = take_turn();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "before", b"value").unwrap();
    let failing = FailingDisk::begin("1+");
    for name in ["first", "second"] {
        let told = put(&store, alice, name, b"value");
        assert!(matches!(told, Err(StoreError::Io(_))), "{name}: {told:?}");
    }
    drop(failing);
    // Also on a disk that works again: nobody knows what it lost.
    assert!(matches!(put(&store, alice, "third", b"value"), Err(StoreError::ReadOnly)));
    let reason = store.status().read_only.unwrap();
    assert!(reason.contains("I/O") && reason.contains("restart tokenvaultd"), "{reason}");
    assert_eq!(value_of(&store, alice, "before").as_deref(), Some(&b"value"[..]));
    drop(store);
    let store = open(&state);
    store.verify_structure().unwrap();
    assert!(id_of(&store, alice, "before").is_some());
    put(&store, alice, "third", b"value").unwrap();
}

#[test]
fn a_job_without_writes_needs_no_sync_and_hides_no_fault_needs_root_and_strace() {
    let _turn = take_turn();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("state"));
    let alice = add_principal(&store, 1000);
    let failing = FailingDisk::begin("1+");
    write(&store, |_| Ok(())).unwrap();
    assert!(matches!(put(&store, alice, "first", b"value"), Err(StoreError::Io(_))));
    write(&store, |_| Ok(())).unwrap();
    assert!(matches!(put(&store, alice, "second", b"value"), Err(StoreError::Io(_))));
    drop(failing);
    assert!(matches!(put(&store, alice, "third", b"value"), Err(StoreError::ReadOnly)));
    let status = store.status();
    assert!(status.read_only.is_some() && status.damaged.is_none(), "{status:?}");
}

/// An empty store that is to take the place of the one in use.
fn empty_one(store: &SqliteStore) -> Box<dyn Replacement> {
    let mut new = store.begin_replacement(SCHEMA).unwrap();
    new.complete().unwrap();
    new
}

fn names(state: &Path) -> Vec<String> {
    let names = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("replaced") || name.contains("restored")).collect();
    names.sort();
    names
}

#[test]
fn a_failing_directory_takes_no_store_away_that_was_to_be_kept_needs_root_and_strace() {
    let _turn = take_turn();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "old", b"value").unwrap();
    // Before the rename: nothing has happened.
    let new = empty_one(&store);
    let failing = FailingDisk::begin_at(&state, "fsync", "error=EIO:when=1");
    assert!(matches!(new.take_place(true), Err(StoreError::Io(_))));
    drop(failing);
    assert_eq!(names(&state), [""; 0]);
    assert_eq!(value_of(&store, alice, "old").as_deref(), Some(&b"value"[..]));
    put(&store, alice, "goes on", b"value").unwrap();
    // After it: it has, though nobody knows whether the disk does.
    let new = empty_one(&store);
    let failing = FailingDisk::begin_at(&state, "fsync", "error=EIO:when=2");
    let taken = new.take_place(true).unwrap();
    drop(failing);
    assert_eq!(taken.kept.as_deref(), Some("vault.db.replaced-1"));
    assert!(matches!(taken.unusable, Some(StoreError::Io(text)) if text.contains("restart tokenvaultd")));
    assert!(matches!(add_principal_or_not(&store), Err(StoreError::ReadOnly)), "it could be lost");
    drop(store);
    assert_eq!(names(&state), ["vault.db.replaced-1"]);
    assert_eq!(value_of(&open(&state), alice, "old"), None);
    std::fs::rename(state.join("vault.db.replaced-1"), state.join("vault.db")).unwrap();
    assert_eq!(value_of(&open(&state), alice, "goes on").as_deref(), Some(&b"value"[..]));
}

fn add_principal_or_not(store: &SqliteStore) -> Result<(), StoreError> {
    write(store, |tx| tx.set_meta(tokenvault_core::port::MetaKey::VaultId, &[1; 16]))
}

#[test]
fn a_store_that_cannot_be_opened_again_has_taken_the_place_all_the_same_needs_root_and_strace() {
    let _turn = take_turn();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(&state);
    let alice = add_principal(&store, 1000);
    put(&store, alice, "old", b"value").unwrap();
    let new = empty_one(&store);
    let failing = FailingDisk::begin_at(&state.join("vault.db"), "openat", "error=EMFILE:when=1+");
    let taken = new.take_place(true).unwrap();
    drop(failing);
    assert_eq!(taken.kept.as_deref(), Some("vault.db.replaced-1"));
    assert!(taken.unusable.is_some());
    drop(store);
    assert_eq!(value_of(&open(&state), alice, "old"), None);
}
