//! Notes about users who were deleted while the vault could not be told, as files in a directory that root alone writes.
//!
//! The directory is named as the state directory, with `-deleted` behind it. What is called by `userdel` leaves one file a
//! user: its name is a UUID, its first line the name of the user, the second one, if it is there, the uid, its date when that was.
//! A file that root does not own, and one of another name, is none. The vault heeds a note before it serves anybody, or within a
//! minute where it serves already, and `tokenvaultctl cleanup`, as root, removes those that it says were heeded.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use tokenvault_core::port::{DeletionNote, DeletionNotes};
use tokenvault_core::{Error, Timestamp};
use tokenvault_proto::is_note_id;

use crate::service::Service;

/// More than any name of a user has, bytes.
const NOTE_BYTES_MAX: u64 = 512;
/// How often an open vault looks for them.
const LOOK: Duration = Duration::from_secs(30);
/// Who else may not write.
const OTHERS_WRITE: u32 = 0o022;

/// The directory.
pub struct NoteDirectory {
    path: PathBuf,
    /// What was wrong with it when that was told last.
    told: Mutex<Option<String>>,
}

impl NoteDirectory {
    /// The one beside a state directory.
    pub fn beside(state_dir: &Path) -> Self {
        let mut name = state_dir.as_os_str().to_owned();
        name.push("-deleted");
        Self { path: name.into(), told: Mutex::default() }
    }

    /// Adds the notes that can be read; what is wrong, if anything is.
    fn look(&self, notes: &mut Vec<DeletionNote>) -> io::Result<Option<String>> {
        let directory = self.path.display();
        let found = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if !found.is_dir() || found.uid() != 0 {
            return Ok(Some(format!(
                "{directory} is not a directory of root's, so nothing in it counts; run 'systemd-tmpfiles --create'"
            )));
        }
        // Root's files in it are notes all the same, but others may have been removed.
        let mut trouble = (!is_roots(&found)).then(|| {
            format!("not root alone can write {directory}, so notes may be missing; run 'systemd-tmpfiles --create'")
        });
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().filter(|name| is_note_id(name)).map(str::to_owned) else {
                continue;
            };
            match read(&id, &entry.path()) {
                Ok(note) => notes.extend(note),
                Err(error) => {
                    trouble = Some(format!("the note {} cannot be read: {error}; mend it", entry.path().display()));
                }
            }
        }
        Ok(trouble)
    }
}

/// Whether nobody else can have written it.
fn is_roots(found: &Metadata) -> bool {
    found.uid() == 0 && found.mode() & OTHERS_WRITE == 0
}

/// The note in a file; `None` where there is none in it.
fn read(id: &str, path: &Path) -> io::Result<Option<DeletionNote>> {
    let found = match fs::symlink_metadata(path) {
        // Removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    if !found.is_file() || !is_roots(&found) || found.len() > NOTE_BYTES_MAX {
        return Ok(None);
    }
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let mut lines = std::str::from_utf8(&text).unwrap_or_default().lines();
    let (user, uid) = (lines.next(), lines.next().and_then(|uid| uid.parse().ok()));
    let time = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp::from_usec(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
    Ok(user.map(|user| DeletionNote { id: id.to_owned(), user, uid, time }))
}

/// Heeds what is left while the vault is open, as long as the daemon runs: whoever left it was not answered in time.
pub async fn heed(service: Arc<Service>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let vault = Arc::clone(&service.vault);
        let _ended = tokio::task::spawn_blocking(move || vault.heed_new_deletions()).await;
    }
}

impl DeletionNotes for NoteDirectory {
    fn read(&self) -> (Vec<DeletionNote>, Option<String>) {
        let mut notes = Vec::new();
        let trouble = self.look(&mut notes).unwrap_or_else(|error| {
            let directory = self.path.display();
            Some(format!("the notes in {directory} about deleted users cannot be read: {error}; mend it"))
        });
        (notes, trouble)
    }

    fn tell_frozen(&self, uid: u32, written: &Result<(), Error>) {
        match written {
            Ok(()) => log::warn!(
                "the tokens of uid {uid} are frozen: its user was deleted while the vault could not be told; \
                 'tokenvaultctl user adopt {uid}' or 'tokenvaultctl user purge {uid}' says what becomes of them"
            ),
            Err(error) => log::error!(
                "the tokens of uid {uid}, whose user was deleted, are withheld until tokenvaultd ends; that they are frozen \
                 could not be written: {error}"
            ),
        }
    }

    fn tell_heeded(&self, heeded: &Result<(), Error>) {
        let wrong = heeded.as_ref().err().map(ToString::to_string);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrong) = wrong.as_ref().filter(|_| *told != wrong) {
            log::error!("not everybody who was deleted may be frozen: {wrong}");
        }
        *told = wrong;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    const ID: &str = "0b5c2a4e-4a51-4b8e-9c0d-0c6a1f2e3d4c";

    fn users(notes: &NoteDirectory) -> Vec<String> {
        DeletionNotes::read(notes).0.into_iter().map(|note| note.user).collect()
    }

    fn trouble(notes: &NoteDirectory) -> Option<String> {
        DeletionNotes::read(notes).1
    }

    #[test]
    fn only_what_root_alone_can_have_written_is_a_note() {
        let place = tempfile::tempdir().unwrap();
        let notes = NoteDirectory::beside(&place.path().join("state"));
        assert_eq!(users(&notes), [""; 0], "there is no directory yet");
        fs::create_dir(&notes.path).unwrap();
        let note = notes.path.join(ID);
        fs::write(&note, "alice\n").unwrap();
        for name in [".tmp", "not-an-id", "0B5C"] {
            fs::write(notes.path.join(name), "bob\n").unwrap();
        }
        symlink(&note, notes.path.join("1")).unwrap();
        fs::write(notes.path.join("2"), "x".repeat(600)).unwrap();
        fs::write(notes.path.join("3"), "").unwrap();
        assert_eq!(users(&notes), ["alice"]);
        assert_eq!(DeletionNotes::read(&notes).0[0].uid, None);
        fs::write(&note, "alice\n1001\n").unwrap();
        assert_eq!((users(&notes), DeletionNotes::read(&notes).0[0].uid), (vec!["alice".to_owned()], Some(1001)));
        fs::set_permissions(&note, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(users(&notes), [""; 0], "anybody can have written that");
        fs::set_permissions(&notes.path, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(users(&notes), [""; 0]);
        fs::set_permissions(&note, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(users(&notes), ["alice"], "root has left it, whoever may have removed others");
        assert!(trouble(&notes).unwrap().contains("root alone"));
        fs::set_permissions(&notes.path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!((users(&notes), trouble(&notes)), (vec!["alice".to_owned()], None));
        chown(&note, Some(4200), None).unwrap();
        assert_eq!(users(&notes), [""; 0], "nor is the daemon's own file one");
    }

    #[test]
    fn a_directory_that_is_not_roots_has_no_notes_and_that_is_told() {
        let place = tempfile::tempdir().unwrap();
        let notes = NoteDirectory::beside(&place.path().join("state"));
        fs::create_dir(&notes.path).unwrap();
        fs::write(notes.path.join(ID), "alice\n").unwrap();
        chown(&notes.path, Some(4200), None).unwrap();
        assert_eq!(users(&notes), [""; 0]);
        assert!(trouble(&notes).unwrap().contains("of root's"));
    }
}
