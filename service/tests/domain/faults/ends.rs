//! Disks as they were left, at many places of a story, and looked at by as many threads as there are processors.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tempfile::TempDir;

use super::disk::Disk;
use super::trace::Step;
use crate::fixture::Random;

/// Disks that wait to be looked at.
const WAITING: usize = 4;

/// What ended the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A kill: all that was written is there.
    Kill,
    /// A power cut: of what was not synced, any part.
    PowerCut,
}

/// A disk as it was left.
pub struct End {
    files: BTreeMap<String, Vec<u8>>,
    /// How many steps were made.
    pub steps: usize,
    /// What it was, for who has to find it again.
    pub place: String,
}

impl End {
    /// The directory.
    pub fn directory(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        for (name, bytes) in &self.files {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        dir
    }
}

/// Looks at the disk that is left behind each of these places, which are in order; few of them lie in memory at one time.
pub fn each(steps: &[Step], cause: Cause, places: &[usize], look: impl Fn(&End) + Sync) {
    let (hand, ends) = sync_channel(WAITING);
    let ends = Arc::new(Mutex::new(ends));
    let look = &look;
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let ends = Arc::clone(&ends);
            scope.spawn(move || {
                while let Some(end) = next(&ends) {
                    look(&end);
                }
            });
        }
        // Gone when all of them are, which end where they find something.
        drop(ends);
        make(steps, cause, places, &hand);
        drop(hand);
    });
}

fn next(ends: &Mutex<Receiver<End>>) -> Option<End> {
    ends.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn make(steps: &[Step], cause: Cause, places: &[usize], hand: &SyncSender<End>) {
    let (mut random, mut disk, mut count) = (Random::new(20), Disk::default(), 0);
    let mut wanted = places.iter().copied().peekable();
    for (number, step) in steps.iter().enumerate() {
        disk.take(step);
        while wanted.next_if_eq(&number).is_some() {
            let files = match cause {
                Cause::Kill => disk.killed(),
                Cause::PowerCut => disk.cut(&mut random),
            };
            let what: String = format!("{step:?}").chars().take(60).collect();
            let place = format!("{cause:?} {count} behind step {number}, {what}");
            count += 1;
            if hand.send(End { files, steps: number + 1, place }).is_err() {
                // Nobody looks any more.
                return;
            }
        }
    }
}
