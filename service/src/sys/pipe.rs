//! Pipes and sealed memory files, below what the standard library offers.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::pipe2;

/// Size of a page on every platform we build for, and what any pipe holds at the least.
pub const PAGE: usize = 4096;

/// A new pipe: read end, write end. Both close on exec and block.
///
/// # Errors
/// No descriptors left.
pub fn new() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

/// Bytes waiting in a pipe (`FIONREAD`).
///
/// # Errors
/// The descriptor is not one that can tell.
pub fn waiting(fd: impl AsFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the address given, which is a live local.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) };
    Errno::result(result)?;
    usize::try_from(count).map_err(io::Error::other)
}

/// How many bytes a pipe can hold (`F_GETPIPE_SZ`).
///
/// # Errors
/// The descriptor is not a pipe.
pub fn capacity(fd: impl AsFd) -> io::Result<usize> {
    usize::try_from(fcntl(fd, FcntlArg::F_GETPIPE_SZ)?).map_err(io::Error::other)
}

/// Asks for room for `bytes` (`F_SETPIPE_SZ`); what the pipe can hold afterwards, which may be less: the kernel refuses
/// growth to a uid that owns many pipes.
///
/// # Errors
/// The descriptor is not a pipe.
pub fn resize(fd: impl AsFd, bytes: usize) -> io::Result<usize> {
    let wanted = libc::c_int::try_from(bytes).map_err(io::Error::other)?;
    match fcntl(&fd, FcntlArg::F_SETPIPE_SZ(wanted)) {
        Ok(got) => usize::try_from(got).map_err(io::Error::other),
        Err(Errno::EPERM | Errno::EBUSY | Errno::ENOMEM) => capacity(fd),
        Err(error) => Err(error.into()),
    }
}

/// Moves up to `most` bytes from one pipe into another without ever blocking, whatever the flags of either description
/// are; 0 at the end.
///
/// # Errors
/// `WouldBlock` when there is nothing to move now or no room for it, else the kernel's.
pub fn move_now(from: impl AsFd, to: impl AsFd, most: usize) -> io::Result<usize> {
    loop {
        match splice(&from, None, &to, None, most, SpliceFFlags::SPLICE_F_NONBLOCK) {
            Ok(moved) => return Ok(moved),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A descriptor that finds a pipe again and is no end of it (`O_PATH`).
///
/// # Errors
/// The kernel's; without `/proc` there is none.
pub fn handle(pipe: impl AsFd) -> io::Result<OwnedFd> {
    Ok(File::options().read(true).custom_flags(libc::O_PATH).open(file_of(&pipe))?.into())
}

/// Whether anyone holds a read end of the pipe that `handle` finds: its write end is in error when nobody does (`poll(2)`).
pub fn has_reader(handle: impl AsFd) -> bool {
    let Ok(write) = File::options().write(true).custom_flags(libc::O_NONBLOCK).open(file_of(&handle)) else {
        return true;
    };
    let mut polled = [PollFd::new(write.as_fd(), PollFlags::empty())];
    // What cannot be asked may be there.
    let _asked = poll(&mut polled, PollTimeout::ZERO);
    !polled.iter().any(|end| end.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)))
}

/// Gives a read end back, as another description, if anyone else holds one of the same pipe. If not, the pipe is gone, and
/// what was in it.
pub fn unless_last(read: OwnedFd) -> Option<OwnedFd> {
    let Ok(handle) = handle(&read) else { return Some(read) };
    drop(read);
    if !has_reader(&handle) {
        return None;
    }
    // It does not fail but for want of a descriptor, and one was closed just now.
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(file_of(&handle)).ok().map(OwnedFd::from)
}

fn file_of(fd: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Whether it is a pipe, of either end.
///
/// # Errors
/// The kernel's.
pub fn is_pipe(fd: impl AsFd) -> io::Result<bool> {
    let mode = SFlag::from_bits_truncate(fstat(fd)?.st_mode);
    Ok(mode & SFlag::S_IFMT == SFlag::S_IFIFO)
}

/// Lets writes to this description fail instead of blocking.
///
/// # Errors
/// The descriptor has no flags.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Whether the description can be read from.
///
/// # Errors
/// The descriptor has no flags.
pub fn is_readable(fd: impl AsFd) -> io::Result<bool> {
    let flags = fcntl(fd, FcntlArg::F_GETFL)?;
    Ok(matches!(flags & libc::O_ACCMODE, libc::O_RDONLY | libc::O_RDWR) && flags & libc::O_PATH == 0)
}

/// Whether the description can be written to.
///
/// # Errors
/// The descriptor has no flags.
pub fn is_writable(fd: impl AsFd) -> io::Result<bool> {
    let flags = fcntl(fd, FcntlArg::F_GETFL)?;
    Ok(matches!(flags & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR))
}

/// Seals of a memory file; `None` for a file that cannot be sealed.
pub fn seals(fd: impl AsFd) -> Option<libc::c_int> {
    fcntl(fd, FcntlArg::F_GET_SEALS).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_last_read_end_is_told_from_one_of_several() {
        let (read, write) = new().unwrap();
        let other = read.try_clone().unwrap();
        nix::unistd::write(&write, b"value").unwrap();
        drop(write);
        let read = unless_last(read).expect("another one is open");
        assert_eq!(waiting(&read).unwrap(), 5, "nothing of it is lost");
        drop(read);
        let mut bytes = Vec::new();
        File::from(other.try_clone().unwrap()).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"value");
        assert!(unless_last(other).is_none());
    }
}
