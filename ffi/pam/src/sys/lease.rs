//! The lease of a session: a pipe whose read end the daemon has. It counts the user as logged in until nobody has the
//! write end any more (`pipe(7)`).

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;

/// Descriptors below this belong to the standard streams, also in a host that has closed them.
const LOWEST: RawFd = 3;

/// The write end, and which pipe it is of. It is closed in whatever the host executes.
pub(crate) struct Lease {
    number: RawFd,
    pipe: (u64, u64),
}

impl Lease {
    /// A new lease, and the end for the daemon.
    ///
    /// # Errors
    /// When the host has no descriptors left.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe()?;
        let writer = File::from(writer);
        let pipe = identity(&writer)?;
        Ok((Self { number: writer.into_raw_fd(), pipe }, reader))
    }

    /// Whether somebody has the other end.
    pub(crate) fn is_held(&self) -> bool {
        let mut end = libc::pollfd { fd: self.number, events: 0, revents: 0 };
        // SAFETY: one entry, which lives during the call; the number may be any.
        let ready = unsafe { libc::poll(&raw mut end, 1, 0) };
        ready == 0
    }
}

/// Closes the lease, but never a descriptor of the host: one that closes what it does not know, and opens something else
/// afterwards, may have given it this number.
impl Drop for Lease {
    fn drop(&mut self) {
        // SAFETY: asks about a number; the descriptor is not used beyond that.
        let ours = unsafe { libc::fcntl(self.number, libc::F_GETFD) } >= 0;
        if !ours {
            return;
        }
        // SAFETY: it is open, as the line above has found, and nothing closes it during these three.
        let file = unsafe { File::from_raw_fd(self.number) };
        if !identity(&file).is_ok_and(|pipe| pipe == self.pipe) {
            let _ = file.into_raw_fd();
        }
    }
}

/// Which file it is.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    let meta = file.metadata()?;
    Ok((meta.dev(), meta.ino()))
}

/// A pipe that is closed on exec, above the standard streams.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer): (PipeReader, _) = io::pipe()?;
    Ok((above_streams(reader.into())?, above_streams(writer.into())?))
}

fn above_streams(end: OwnedFd) -> io::Result<OwnedFd> {
    if end.as_raw_fd() >= LOWEST { Ok(end) } else { duplicate(end.as_fd()) }
}

fn duplicate(end: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open; the call makes a new one.
    let number = unsafe { libc::fcntl(end.as_raw_fd(), libc::F_DUPFD_CLOEXEC, LOWEST) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_while_somebody_has_the_other_end() {
        let (lease, daemon) = Lease::new().unwrap();
        assert!(lease.is_held());
        drop(daemon);
        assert!(!lease.is_held());
    }

    #[test]
    fn both_ends_are_closed_on_exec() {
        let (lease, daemon) = Lease::new().unwrap();
        for number in [lease.number, daemon.as_raw_fd()] {
            // SAFETY: asks about a number.
            assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, libc::FD_CLOEXEC);
        }
    }

    #[test]
    fn a_descriptor_that_has_taken_its_number_is_left_alone() {
        let (lease, daemon) = Lease::new().unwrap();
        let other = File::open("/dev/null").unwrap();
        // SAFETY: both are open; the lease's number now is the other file.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), lease.number) }, lease.number);
        let number = lease.number;
        assert_eq!(io::read_to_string(File::from(daemon)).unwrap(), "", "the pipe is gone");
        drop(lease);
        // SAFETY: still open, as is to be shown, and owned by nobody but this test.
        let kept = unsafe { File::from_raw_fd(number) };
        assert_eq!(identity(&kept).unwrap(), identity(&other).unwrap());
    }
}
