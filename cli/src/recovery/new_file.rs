//! A new file for something that is written down once: made before it is needed, so that nothing is drawn that cannot be kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// An empty file that only its owner reads; gone again unless it is written.
pub struct NewFile {
    file: File,
    path: PathBuf,
    is_written: bool,
}

impl NewFile {
    /// Makes it.
    ///
    /// # Errors
    /// When the file exists already, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
            let next = if error.kind() == io::ErrorKind::AlreadyExists {
                "a recovery key is never overwritten: name another file, or move this one away if no vault needs it"
            } else {
                "name a file in a directory you can write to"
            };
            Failure::io(format_args!("cannot create '{}'", path.display()), &error, next)
        })?;
        Ok(Self { file, path: path.to_owned(), is_written: false })
    }

    /// Writes one line, and returns when the disk has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(mut self, line: &[u8]) -> Result<(), Failure> {
        self.write_line(line).map_err(|error| {
            Failure::io(format_args!("cannot write '{}'", self.path.display()), &error, "name a file on another disk")
        })?;
        self.is_written = true;
        Ok(())
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.write_all(b"\n")?;
        self.file.sync_all()?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
