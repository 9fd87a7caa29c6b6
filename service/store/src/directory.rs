//! The state directory: whose it is, who holds it, and where each file lies.
//!
//! Nothing here opens the database itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::statvfs::statvfs;
use tokenvault_core::port::StoreError;

use crate::fault::Fault;

const VAULT: &str = "vault.db";
const LOCK: &str = "vault.lock";

/// A state directory that no other daemon has.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    // Held as long as the store lives; the kernel gives it back when the process ends, however it ends.
    _lock: Flock<File>,
}

impl Directory {
    /// Checks that the directory is ours alone, makes it when it is missing, and takes the lock.
    pub(crate) fn claim(path: &Path) -> Result<Self, Fault> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            // An existing directory on a read-only file system is reported by the lock below.
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem && path.exists() => {}
            Err(error) => return Err(named(path, &error)),
        }
        // SQLite is told to follow no symbolic link, so the way to the directory is resolved once, here.
        let path = fs::canonicalize(path).map_err(|error| named(path, &error))?;
        check_owner_and_mode(&path)?;
        let lock = take_lock(&path.join(LOCK))?;
        Ok(Self { path, _lock: lock })
    }

    /// The database.
    pub(crate) fn vault(&self) -> PathBuf {
        self.path.join(VAULT)
    }

    /// A file beside the database: `vault.db` and `suffix`.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.path.join(format!("{VAULT}{suffix}"))
    }

    /// The write-ahead log.
    pub(crate) fn wal(&self) -> PathBuf {
        self.beside("-wal")
    }

    /// Makes renames and new names in the directory durable.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        Ok(self.names()?.sync_all()?)
    }

    /// The directory itself, to make that durable later.
    pub(crate) fn names(&self) -> Result<File, Fault> {
        Ok(File::open(&self.path)?)
    }

    /// Bytes of database and log on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.vault_bytes() + self.wal_bytes()
    }

    /// Bytes in the database.
    pub(crate) fn vault_bytes(&self) -> u64 {
        size(&self.vault())
    }

    /// Bytes in the log.
    pub(crate) fn wal_bytes(&self) -> u64 {
        size(&self.wal())
    }

    /// Bytes that a file here could still take.
    pub(crate) fn available(&self) -> Result<u64, Fault> {
        let found = statvfs(&self.path).map_err(io::Error::from)?;
        Ok(found.blocks_available().saturating_mul(found.fragment_size()))
    }

    /// Finds out what is behind an I/O error: SQLite's own answer does not tell a full disk or a read-only file system
    /// from a failing disk in every case.
    pub(crate) fn cause(&self, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::Io(_)) {
            return error;
        }
        let path = self.beside(".probe");
        match create_filled(&path, 64 * 1024).and_then(|()| remove_if_there(&path)) {
            Err(Fault(cause @ (StoreError::Full | StoreError::ReadOnly))) => cause,
            _ => error,
        }
    }
}

/// Creates a file that only we can read; it must not exist.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a private file with `bytes` of allocated space, or nothing.
pub(crate) fn create_filled(path: &Path, bytes: u64) -> Result<(), Fault> {
    remove_if_there(path)?;
    let file = create_private(path)?;
    let length = i64::try_from(bytes).map_err(|_| Fault::internal("the size of a file is out of range"))?;
    let filled = nix::fcntl::posix_fallocate(&file, 0, length).map_err(io::Error::from).and_then(|()| file.sync_all());
    if filled.is_err() {
        remove_if_there(path)?;
    }
    Ok(filled?)
}

/// Removes one of our own auxiliary files.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(named(path, &error)),
        _ => Ok(()),
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn check_owner_and_mode(path: &Path) -> Result<(), Fault> {
    let metadata = fs::metadata(path).map_err(|error| named(path, &error))?;
    let shown = path.display();
    if !metadata.is_dir() {
        return Err(Fault::io(format!("{shown} is not a directory; set 'state-dir' to a directory")));
    }
    let (owner, own) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if owner != own {
        return Err(Fault::io(format!(
            "{shown} belongs to uid {owner}; start tokenvaultd as that user, or give it to uid {own} with 'chown {own} {shown}'"
        )));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Fault::io(format!("{shown} is open to others (mode {mode:04o}); run 'chmod 0700 {shown}'")));
    }
    Ok(())
}

fn take_lock(path: &Path) -> Result<Flock<File>, Fault> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| named(path, &error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => Fault(StoreError::Held),
        errno => named(path, &io::Error::from(errno)),
    })
}

/// An I/O error with the name of the file; what the kind tells by itself is kept.
fn named(path: &Path, error: &io::Error) -> Fault {
    match Fault::from(io::Error::from(error.kind())) {
        Fault(StoreError::Io(_)) => Fault::io(format!("{}: {error}", path.display())),
        other => other,
    }
}
