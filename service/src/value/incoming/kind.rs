//! What a descriptor is, before anything is read from it.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::stat::{SFlag, fstat};

use super::ReceiveError;
use crate::sys::pipe;

/// A descriptor values are taken from.
pub(super) enum Source {
    /// The read end of a pipe.
    Pipe,
    /// A memory file that nobody can change any more.
    SealedFile {
        /// Its size, which is final.
        size: u64,
    },
}

/// Tells the two kinds that are taken from all that are not.
pub(super) fn examine(fd: &OwnedFd) -> Result<Source, ReceiveError> {
    let stat = fstat(fd).map_err(io::Error::from)?;
    let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    match format {
        SFlag::S_IFIFO if pipe::is_writable(fd)? => Err(ReceiveError::WrongKind("a pipe open for writing")),
        SFlag::S_IFIFO if pipe::is_readable(fd)? => Ok(Source::Pipe),
        SFlag::S_IFIFO => Err(ReceiveError::WrongKind("a path-only descriptor")),
        SFlag::S_IFREG => examine_file(fd, u64::try_from(stat.st_size).map_err(io::Error::other)?),
        SFlag::S_IFDIR => Err(ReceiveError::WrongKind("a directory")),
        SFlag::S_IFSOCK => Err(ReceiveError::WrongKind("a socket")),
        SFlag::S_IFCHR if nix::unistd::isatty(fd).unwrap_or(false) => Err(ReceiveError::WrongKind("a terminal")),
        SFlag::S_IFCHR => Err(ReceiveError::WrongKind("a character device")),
        SFlag::S_IFBLK => Err(ReceiveError::WrongKind("a block device")),
        SFlag::S_IFLNK => Err(ReceiveError::WrongKind("a symbolic link")),
        _ => Err(ReceiveError::WrongKind("an anonymous descriptor of the kernel")),
    }
}

fn examine_file(fd: &OwnedFd, size: u64) -> Result<Source, ReceiveError> {
    let needed = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK;
    match pipe::seals(fd) {
        // A file on a tmpfs answers too: it carries the one seal that forbids all others.
        None | Some(libc::F_SEAL_SEAL) => Err(ReceiveError::WrongKind("a regular file")),
        Some(seals) if seals & needed != needed => {
            Err(ReceiveError::WrongKind("a memfd without F_SEAL_WRITE and F_SEAL_SHRINK"))
        }
        Some(_) if !pipe::is_readable(fd)? => Err(ReceiveError::WrongKind("a memfd that is not open for reading")),
        Some(_) => Ok(Source::SealedFile { size }),
    }
}
