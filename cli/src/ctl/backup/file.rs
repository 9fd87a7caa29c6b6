//! Where a new backup goes: a file that appears under its name only when all of it is on the disk, or standard output.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::faults::STANDARD;
use crate::common::Context;
use crate::failure::Failure;

/// Takes the bytes of a backup.
pub enum Target<'a> {
    /// Standard output.
    Output(&'a Context),
    /// A file beside the one it will be; gone again unless it is finished.
    File(Unfinished),
}

/// A file that does not have its name yet.
pub struct Unfinished {
    file: File,
    path: PathBuf,
    name: PathBuf,
    is_finished: bool,
}

impl<'a> Target<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// For a terminal, and when no file can be made.
    pub fn open(context: &'a Context, path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == STANDARD {
            if context.output.is_terminal() {
                return Err(Failure::usage(
                    "a backup is not written to a terminal",
                    "name a file, or pipe it to a program",
                ));
            }
            if context.output.wants_json() {
                return Err(Failure::usage(
                    "with --json a backup cannot go to standard output as well",
                    "name a file for it",
                ));
            }
            return Ok(Self::Output(context));
        }
        Unfinished::create(path).map(Self::File)
    }

    /// Writes what comes next.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Output(context) => context.output.write(bytes),
            Self::File(file) => file.file.write_all(bytes).map_err(|error| failed(&file.name, &error)),
        }
    }

    /// All of it was written, and it is a backup.
    ///
    /// # Errors
    /// When the disk does not have it.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Output(_) => Ok(()),
            Self::File(mut file) => file.finish().map_err(|error| failed(&file.name, &error)),
        }
    }
}

impl Unfinished {
    fn create(name: &Path) -> Result<Self, Failure> {
        let last = name.file_name().ok_or_else(|| {
            Failure::usage(format_args!("'{}' is not the name of a file", name.display()), "name a file, or '-'")
        })?;
        let name = &place(name)?;
        let mut hidden = OsString::from(".");
        hidden.push(last);
        hidden.push(format!(".{}", std::process::id()));
        let path = name.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| {
            let next = "name a file in a directory you can write to";
            Failure::io(format_args!("cannot create '{}'", path.display()), &error, next)
        })?;
        Ok(Self { file, path, name: name.to_owned(), is_finished: false })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.name)?;
        self.is_finished = true;
        let directory = self.name.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            let _nothing_more_can_be_done = fs::remove_file(&self.path);
        }
    }
}

/// Where the file is that a name leads to. A backup takes the place of a file and of nothing else, of no device least of all.
fn place(name: &Path) -> Result<PathBuf, Failure> {
    let shown = name.display();
    let Ok(found) = fs::symlink_metadata(name) else { return Ok(name.to_owned()) };
    if found.is_dir() || name.is_dir() {
        return Err(Failure::usage(format_args!("'{shown}' is a directory"), "name a file in it"));
    }
    let (name, found) = if found.is_symlink() {
        let next = "name the file that the backup is to be in";
        let failed = |error| Failure::io(format_args!("cannot follow '{shown}'"), &error, next);
        let name = fs::canonicalize(name).map_err(failed)?;
        let found = fs::symlink_metadata(&name).map_err(failed)?;
        (name, found)
    } else {
        (name.to_owned(), found)
    };
    if found.is_file() {
        return Ok(name);
    }
    Err(Failure::usage(
        format_args!("'{shown}' is no file that a backup could take the place of"),
        "name a file, or '-'",
    ))
}

fn failed(name: &Path, error: &io::Error) -> Failure {
    let next = "name a file on a disk with room for it; nothing was left there";
    Failure::io(format_args!("cannot write '{}'", name.display()), error, next)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_finished_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("vault.backup");
        fs::write(&name, b"yesterday's").unwrap();
        let unfinished = Unfinished::create(&name).unwrap_or_else(|_| panic!());
        Target::File(unfinished).write(b"half").unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"yesterday's");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "half a file was left");
        let mut target = Target::File(Unfinished::create(&name).unwrap_or_else(|_| panic!()));
        target.write(b"whole").unwrap();
        target.finish().unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"whole");
        assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_stays_and_a_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let pipe = at("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/null", at("null")).unwrap();
        std::os::unix::fs::symlink(at("missing"), at("nowhere")).unwrap();
        for path in [Path::new("/dev/null"), &pipe, &at("null"), &at("nowhere")] {
            assert!(Unfinished::create(path).is_err(), "{}", path.display());
        }
        std::os::unix::fs::symlink(at("vault.backup"), at("link")).unwrap();
        fs::write(at("vault.backup"), b"yesterday's").unwrap();
        let mut target = Target::File(Unfinished::create(&at("link")).unwrap_or_else(|_| panic!()));
        target.write(b"whole").unwrap();
        target.finish().unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert_eq!(fs::read(at("vault.backup")).unwrap(), b"whole");
    }

    #[test]
    fn what_is_no_name_of_a_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for path in [Path::new("/"), Path::new(".."), directory.path(), &directory.path().join("missing/vault.backup")]
        {
            assert!(Unfinished::create(path).is_err(), "{}", path.display());
        }
    }
}
