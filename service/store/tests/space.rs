//! No space left: nothing acknowledged is lost, deletes go on, and writing comes back with the space.
//!
//! A file system of a few hundred KiB is mounted for each test, in a mount namespace of its own: this needs root.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // A test ends where something is not as expected.

mod common;

use std::fs;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::*;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use tokenvault_core::port::{Store, StoreError, Totals};
use tokenvault_store::{SqliteStore, StoreOptions};

const TMPFS: Option<&str> = Some("tmpfs");
const NONE: Option<&str> = None;

/// A mounted file system; unmounted when dropped, also by a test that fails.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// A tmpfs of `kib` KiB.
    fn tmpfs(kib: u32, at: &'a Path) -> Self {
        let size = format!("size={kib}k,mode=0700");
        mount(TMPFS, at, TMPFS, MsFlags::empty(), Some(size.as_str())).unwrap();
        Self(at)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).ok();
    }
}

/// Keeps what is mounted from now on out of the namespace this one was copied from. That can be said of a mount point only:
/// in a chroot, whose root is a plain directory, the tmpfs may be seen outside, until it is unmounted.
fn keep_mounts_private() {
    match mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE) {
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(other) => panic!("the mounts cannot be made private: {other}"),
    }
}

/// Runs `test` in a directory on a tmpfs of `kib` KiB, in a mount namespace of its own.
fn on_small_disk(kib: u32, test: impl FnOnce(&Path) + Send) {
    let dir = tempfile::tempdir().unwrap();
    let test = || {
        // Only this thread and the threads it starts are in the new namespace.
        let unshared = unshare(CloneFlags::CLONE_NEWNS);
        assert!(unshared.is_ok(), "this test mounts a file system; run it as root ({unshared:?})");
        keep_mounts_private();
        let disk = Mounted::tmpfs(kib, dir.path());
        test(disk.0);
    };
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(test).join() {
            resume_unwind(panic);
        }
    });
}

fn with_reserve(bytes: u64) -> StoreOptions {
    StoreOptions { reserve_bytes: bytes, ..StoreOptions::default() }
}

/// Puts tokens until there is no space; the numbers that were acknowledged.
fn put_until_full(store: &SqliteStore, principal: i64, from: u64) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for number in from..from + 10_000 {
        match put(store, principal, &format!("t{number}"), &noise(number, 3000)) {
            Ok(()) => acknowledged.push(number),
            Err(StoreError::Full) => return acknowledged,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk never became full");
}

fn assert_all_there(store: &SqliteStore, principal: i64, numbers: &[u64]) {
    for number in numbers {
        let value = value_of(store, principal, &format!("t{number}"));
        assert_eq!(value.as_deref(), Some(&noise(*number, 3000)[..]), "acknowledged token {number}");
    }
    assert_eq!(read(store, |tx| tx.tokens(principal, &[], 0, usize::MAX)).len(), numbers.len());
}

#[test]
fn on_a_full_disk_deletes_go_on_and_nothing_is_lost_needs_root() {
    on_small_disk(2048, |dir| {
        let state = dir.join("state");
        let store = SqliteStore::open(&state, with_reserve(256 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        let mut kept = put_until_full(&store, alice, 0);
        assert!(kept.len() > 20, "{}", kept.len());
        fs::write(dir.join("filler"), vec![0; 4096 * 1024]).unwrap_err();
        kept.extend(put_until_full(&store, alice, 20_000));
        assert_all_there(&store, alice, &kept);
        while kept.len() > 5 {
            let number = kept.pop().unwrap();
            delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
        }
        assert_all_there(&store, alice, &kept);
        assert_eq!(store.status().read_only, None);
        store.verify_structure().unwrap();
    });
}

#[test]
fn writing_comes_back_with_the_space_needs_root() {
    on_small_disk(3072, |dir| {
        let state = dir.join("state");
        fs::write(dir.join("filler"), vec![0; 1024 * 1024]).unwrap();
        let store = SqliteStore::open(&state, with_reserve(256 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        let mut kept = put_until_full(&store, alice, 0);
        let last = kept.pop().unwrap();
        delete(&store, id_of(&store, alice, &format!("t{last}")).unwrap()).unwrap();
        fs::remove_file(dir.join("filler")).unwrap();
        let more = put_until_full(&store, alice, 1000);
        assert!(more.len() > 20, "{} writes after there was space again", more.len());
        kept.extend(more);
        assert_all_there(&store, alice, &kept);
        drop(store);
        let store = SqliteStore::open(&state, with_reserve(256 * 1024)).unwrap();
        assert_all_there(&store, alice, &kept);
        store.verify_structure().unwrap();
    });
}

#[test]
fn what_deletes_left_free_inside_the_database_is_written_to_again_needs_root() {
    on_small_disk(2048, |dir| {
        let state = dir.join("state");
        let store = SqliteStore::open(&state, with_reserve(256 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        let mut kept = put_until_full(&store, alice, 0);
        while kept.len() > 5 {
            let number = kept.pop().unwrap();
            delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
        }
        let bytes = |name| fs::metadata(state.join(name)).map_or(0, |metadata| metadata.len());
        wait_until("an empty log and a reserve", Duration::from_secs(20), || {
            bytes("vault.db-wal") == 0 && bytes("vault.db.reserve") == 256 * 1024
        });
        // What the log would need is somebody else's by now.
        fs::write(dir.join("filler"), vec![0; 4096 * 1024]).unwrap_err();
        for number in 1000..1020 {
            put(&store, alice, &format!("t{number}"), &noise(number, 3000)).unwrap();
            kept.push(number);
        }
        assert_all_there(&store, alice, &kept);
        assert_eq!(bytes("vault.db.reserve"), 256 * 1024, "for the next deletes");
        // More than deletes have left free is not written.
        let more = put_until_full(&store, alice, 2000);
        kept.extend(more);
        assert_all_there(&store, alice, &kept);
        let number = kept.pop().unwrap();
        delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
        assert_all_there(&store, alice, &kept);
        store.verify_structure().unwrap();
    });
}

#[test]
fn one_large_write_does_not_fail_its_small_neighbours_needs_root() {
    on_small_disk(2048, |dir| {
        let store = SqliteStore::open(&dir.join("state"), with_reserve(64 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        let (release, _first) = occupy(&store);
        let sizes = [100, 4_000_000, 200];
        let told: Vec<_> = sizes
            .into_iter()
            .map(|size| {
                let (work, told) = job(move |tx| insert(tx, alice, &format!("s{size}"), &noise(1, size)).map(|_| ()));
                store.submit(Box::new(work));
                told
            })
            .collect();
        drop(release);
        let told: Vec<_> = told.into_iter().map(|told| told.recv().unwrap()).collect();
        assert!(matches!(told[..], [Ok(()), Err(StoreError::Full), Ok(())]), "{told:?}");
        assert_eq!(read(&store, |tx| tx.totals()), Totals { tokens: 2, bytes: 300, issued: 0 });
    });
}

#[test]
fn a_write_that_would_fill_the_log_but_not_fit_into_the_database_is_refused_needs_root() {
    on_small_disk(4096, |dir| {
        let store = SqliteStore::open(&dir.join("state"), with_reserve(64 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        put(&store, alice, "kept", b"value").unwrap();
        // The log could take this in, but log and database together could not: the disk would stay full.
        assert!(matches!(put(&store, alice, "large", &noise(1, 2_200_000)), Err(StoreError::Full)));
        put(&store, alice, "smaller", &noise(2, 1_000_000)).unwrap();
        wait_until("the copy of the log", Duration::from_secs(5), || {
            fs::metadata(dir.join("state/vault.db")).unwrap().len() > 1_000_000
        });
        delete(&store, id_of(&store, alice, "kept").unwrap()).unwrap();
    });
}

#[test]
fn a_store_on_a_full_disk_still_opens_needs_root() {
    on_small_disk(2048, |dir| {
        let state = dir.join("state");
        let store = SqliteStore::open(&state, with_reserve(128 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        for number in 0..50 {
            put(&store, alice, &format!("t{number}"), &noise(number, 3000)).unwrap();
        }
        drop(store);
        fs::write(dir.join("filler"), vec![0; 4096 * 1024]).unwrap_err();
        let store = SqliteStore::open(&state, with_reserve(128 * 1024)).unwrap();
        assert_all_there(&store, alice, &(0..50).collect::<Vec<_>>());
        delete(&store, id_of(&store, alice, "t7").unwrap()).unwrap();
        assert_eq!(id_of(&store, alice, "t7"), None);
    });
}

#[test]
fn a_read_only_file_system_is_named_and_left_alone_needs_root() {
    on_small_disk(4096, |dir| {
        let state = dir.join("state");
        let store = open(&state);
        add_principal(&store, 1000);
        drop(store);
        mount(NONE, dir, NONE, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, NONE).unwrap();
        let error = SqliteStore::open(&state, StoreOptions::default()).err().unwrap();
        assert!(matches!(error, StoreError::ReadOnly), "{error}");
        mount(NONE, dir, NONE, MsFlags::MS_REMOUNT, NONE).unwrap();
        open(&state).verify_structure().unwrap();
    });
}

#[test]
fn a_job_that_overlooks_a_full_disk_is_not_acknowledged_needs_root() {
    on_small_disk(2048, |dir| {
        let store = SqliteStore::open(&dir.join("state"), with_reserve(64 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        let told = write(&store, move |tx| {
            insert(tx, alice, "small", b"value")?;
            let _ = insert(tx, alice, "large", &noise(1, 6_000_000));
            // The transaction is gone: this must not be written on its own.
            let _ = insert(tx, alice, "after", b"value");
            Ok(())
        });
        assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
        assert!(read(&store, |tx| tx.tokens(alice, &[], 0, 10)).is_empty());
    });
}

#[test]
fn who_reads_on_a_full_disk_is_told_of_needs_root() {
    on_small_disk(2048, |dir| {
        let store = SqliteStore::open(&dir.join("state"), with_reserve(256 * 1024)).unwrap();
        let alice = add_principal(&store, 1000);
        put(&store, alice, "first", b"value").unwrap();
        let cramped = || store.status().cramped;
        let mut kept = Vec::new();
        store
            .read_aside(&mut |tx| {
                assert!(tx.principal_by_id(alice)?.is_some());
                assert_eq!(cramped(), 0);
                kept = put_until_full(&store, alice, 0);
                assert!(cramped() > 0, "the log could not be emptied");
                Ok(())
            })
            .unwrap();
        // Deletes go on from then on, and so does everything else.
        for number in kept {
            delete(&store, id_of(&store, alice, &format!("t{number}")).unwrap()).unwrap();
        }
        let before = cramped();
        put(&store, alice, "last", b"value").unwrap();
        assert_eq!(cramped(), before);
    });
}
