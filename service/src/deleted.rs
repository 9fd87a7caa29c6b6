//! Notes about users who were deleted while the vault could not be told, as files in a directory that root alone writes.
//!
//! The directory is named as the state directory, with `-deleted` behind it. What is called by `userdel` leaves one file a
//! user: its name is a UUID, its one line the name of the user, its date when that was. A file that root does not own, and one
//! of another name, is none. The vault heeds a note before it serves anybody, and `tokenvaultctl cleanup`, as root, removes
//! those that it says were heeded.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tokenvault_core::port::{DeletionNote, DeletionNotes};
use tokenvault_core::{Error, Timestamp};
use tokenvault_proto::is_note_id;

/// More than any name of a user has, bytes.
const NOTE_BYTES_MAX: u64 = 512;
/// Who else may not write.
const OTHERS_WRITE: u32 = 0o022;

/// The directory.
pub struct NoteDirectory(PathBuf);

impl NoteDirectory {
    /// The one beside a state directory.
    pub fn beside(state_dir: &Path) -> Self {
        let mut name = state_dir.as_os_str().to_owned();
        name.push("-deleted");
        Self(name.into())
    }

    fn look(&self) -> io::Result<Option<Vec<DeletionNote>>> {
        let found = match fs::symlink_metadata(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            found => found?,
        };
        if !found.is_dir() || !is_roots(&found) {
            return Ok(None);
        }
        let mut notes = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if let Some(id) = entry.file_name().to_str().filter(|name| is_note_id(name)) {
                notes.extend(read(id, &entry.path())?);
            }
        }
        Ok(Some(notes))
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
    let user = std::str::from_utf8(&text).ok().map(|text| text.trim_end_matches('\n'));
    let time = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp::from_usec(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    Ok(user.filter(|user| !user.is_empty()).map(|user| DeletionNote { id: id.to_owned(), user: user.to_owned(), time }))
}

impl DeletionNotes for NoteDirectory {
    fn read(&self) -> Result<Vec<DeletionNote>, String> {
        let directory = self.0.display();
        match self.look() {
            Ok(Some(notes)) => Ok(notes),
            Ok(None) => Err(format!(
                "{directory} is not a directory that root alone can write, so nothing in it counts; run 'systemd-tmpfiles --create'"
            )),
            Err(error) => Err(format!("the notes in {directory} about deleted users cannot be read: {error}; mend it")),
        }
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

    fn tell_failed(&self, error: &Error) {
        log::error!("not everybody who was deleted could be frozen: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    const ID: &str = "0b5c2a4e-4a51-4b8e-9c0d-0c6a1f2e3d4c";

    fn users(notes: &NoteDirectory) -> Vec<String> {
        DeletionNotes::read(notes).unwrap().into_iter().map(|note| note.user).collect()
    }

    #[test]
    fn only_what_root_alone_can_have_written_is_a_note() {
        let place = tempfile::tempdir().unwrap();
        let notes = NoteDirectory::beside(&place.path().join("state"));
        assert_eq!(users(&notes), [""; 0], "there is no directory yet");
        fs::create_dir(&notes.0).unwrap();
        let note = notes.0.join(ID);
        fs::write(&note, "alice\n").unwrap();
        for name in [".tmp", "not-an-id", "0B5C"] {
            fs::write(notes.0.join(name), "bob\n").unwrap();
        }
        symlink(&note, notes.0.join("1")).unwrap();
        fs::write(notes.0.join("2"), "x".repeat(600)).unwrap();
        fs::write(notes.0.join("3"), "").unwrap();
        assert_eq!(users(&notes), ["alice"]);
        fs::set_permissions(&note, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(users(&notes), [""; 0], "anybody can have written that");
        fs::set_permissions(&notes.0, Permissions::from_mode(0o777)).unwrap();
        assert!(DeletionNotes::read(&notes).unwrap_err().contains("root alone"));
        fs::set_permissions(&notes.0, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&note, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(users(&notes), ["alice"]);
        chown(&note, Some(4200), None).unwrap();
        assert_eq!(users(&notes), [""; 0], "nor is the daemon's own file one");
    }
}
