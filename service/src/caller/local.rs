//! The file of this machine's own users, or groups.
//!
//! What was looked up is kept for a while, and tools edit the file meanwhile: a user goes, and the next one is given the uid.
//! So the file tells when something in it has changed, and who stands in it; what an entry means is for the name service to
//! say.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file like `/etc/passwd`.
pub(super) struct LocalFile {
    path: PathBuf,
    /// The field of a line that names an entry.
    field: usize,
    /// Another file that says something of the same entries.
    beside: Option<PathBuf>,
}

/// One state of the file, and of the one beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    own: State,
    beside: Option<State>,
}

/// One state of a file. Tools write a new file and give it the name of the old one; an editor may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What the file had to say of a key before that was looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Its state.
    pub(super) stamp: Option<Stamp>,
    /// Whether the key stands in it.
    pub(super) is_local: bool,
}

impl LocalFile {
    /// The file at `path`, of whose lines the field of that number, from 0, is the key.
    pub(super) fn new(path: impl Into<PathBuf>, field: usize) -> Self {
        Self { path: path.into(), field, beside: None }
    }

    /// The same, with another file whose changes count as its own.
    pub(super) fn beside(self, other: impl Into<PathBuf>) -> Self {
        Self { beside: Some(other.into()), ..self }
    }

    /// Its state now; `None` where there is no such file.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let own = State::of(&self.path)?;
        Some(Stamp { own, beside: self.beside.as_deref().and_then(State::of) })
    }

    /// What it says of a key, with the state it had before it was read.
    pub(super) fn see(&self, stamp: Option<Stamp>, key: &str) -> Seen {
        Seen { stamp, is_local: self.has(key) }
    }

    fn has(&self, key: &str) -> bool {
        let text = fs::read(&self.path).unwrap_or_default();
        text.split(|byte| *byte == b'\n')
            .any(|line| line.split(|byte| *byte == b':').nth(self.field) == Some(key.as_bytes()))
    }
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n";

    #[test]
    fn an_entry_is_found_by_its_field_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("passwd");
        fs::write(&path, USERS).unwrap();
        let (names, uids) = (LocalFile::new(&path, 0), LocalFile::new(&path, 2));
        assert!(names.has("alice") && uids.has("1000") && uids.has("0"));
        for absent in ["100", "alice", "x", "/bin/sh", ""] {
            assert!(!uids.has(absent), "{absent}");
        }
        assert!(!LocalFile::new(place.path().join("none"), 0).has("root"));
    }

    #[test]
    fn every_change_is_another_state() {
        let place = tempfile::tempdir().unwrap();
        let (path, next) = (place.path().join("passwd"), place.path().join("passwd+"));
        let file = LocalFile::new(&path, 2);
        assert_eq!(file.stamp(), None);
        fs::write(&path, USERS).unwrap();
        let first = file.stamp();
        assert_eq!(file.stamp(), first);
        fs::write(&next, USERS).unwrap();
        fs::rename(&next, &path).unwrap();
        let second = file.stamp();
        fs::write(&path, "").unwrap();
        let stamps = [None, first, second, file.stamp()];
        for (number, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..number].contains(stamp), "{stamps:?}");
        }
    }

    #[test]
    fn a_change_of_the_file_beside_it_is_one_too() {
        let place = tempfile::tempdir().unwrap();
        let (path, beside) = (place.path().join("passwd"), place.path().join("group"));
        fs::write(&path, USERS).unwrap();
        let file = LocalFile::new(&path, 2).beside(&beside);
        let none = file.stamp();
        fs::write(&beside, "staff:x:7:alice\n").unwrap();
        let one = file.stamp();
        fs::write(&beside, "staff:x:7:\n").unwrap();
        assert!(none.is_some() && none != one && one != file.stamp());
        assert!(file.has("1000"));
    }
}
