//! Outgoing values: written into a pipe of our own, whose read end goes to the daemon.
//!
//! The bytes go from the caller's memory into the kernel and nowhere else. Whatever fits is written before the call is
//! sent, and the write end closed, so that a small value needs nothing while the call is under way.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, write};

use crate::error::Error;

/// What a pipe holds unless it is asked to hold more.
pub(crate) const PIPE_BYTES: usize = 65536;

/// A value on its way.
pub(crate) struct Outgoing<'v> {
    /// The end for the daemon.
    pub(crate) read: OwnedFd,
    /// What did not fit yet, to be written while the call is under way.
    pub(crate) rest: Option<Rest<'v>>,
}

/// The part of a value that a full pipe has kept out.
pub(crate) struct Rest<'v> {
    write: OwnedFd,
    bytes: &'v [u8],
}

/// Puts as much of `value` as fits into a new pipe. The pipe is closed for writing when all of it did.
pub(crate) fn send(value: &[u8]) -> Result<Outgoing<'_>, Error> {
    send_with(value, |end| {
        if value.len() > PIPE_BYTES {
            grow(end, value.len());
        }
    })
}

/// Puts all of a small value into a new pipe; the end for the daemon.
pub(crate) fn send_whole(value: &[u8]) -> Result<OwnedFd, Error> {
    let outgoing = send(value)?;
    if outgoing.rest.is_some() {
        return Err(Error::invalid("a key that does not fit into a pipe is none"));
    }
    Ok(outgoing.read)
}

/// As [`send`], with a pipe that stays as small as it is.
#[cfg(test)]
pub(crate) fn send_small(value: &[u8]) -> Result<Outgoing<'_>, Error> {
    send_with(value, |_| {})
}

fn send_with(value: &[u8], enlarge: impl FnOnce(&OwnedFd)) -> Result<Outgoing<'_>, Error> {
    let failed = |errno| Error::local("make a pipe for the value", &errno);
    let (read, end) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    // Ours only: the two ends of a pipe have their own flags, and the daemon sets what it wants on its end.
    fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
    enlarge(&end);
    let written = fill(&end, value).map_err(failed)?;
    let rest = match value.get(written..) {
        Some(bytes) if !bytes.is_empty() => Some(Rest { write: end, bytes }),
        _ => None,
    };
    Ok(Outgoing { read, rest })
}

/// Asks for a pipe that holds the whole value. A refusal (a limit of the system or the user) costs nothing but turns.
fn grow(end: &OwnedFd, len: usize) {
    if let Ok(len) = i32::try_from(len) {
        let _ = fcntl(end, FcntlArg::F_SETPIPE_SZ(len));
    }
}

/// Writes until everything is written or the pipe is full.
fn fill(end: &OwnedFd, value: &[u8]) -> Result<usize, Errno> {
    let mut written = 0;
    while let Some(bytes) = value.get(written..).filter(|bytes| !bytes.is_empty()) {
        match write(end, bytes) {
            Ok(count) => written += count,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(written)
}

impl Rest<'_> {
    /// Writes as much as the daemon has made room for; whether that was all. The pipe is to be closed then.
    ///
    /// The caller keeps a read end open meanwhile: a pipe without readers would send this program a signal. So a daemon
    /// that does not want the value leaves this waiting, and its answer ends the wait.
    pub(crate) fn feed(&mut self) -> Result<bool, Errno> {
        let written = fill(&self.write, self.bytes)?;
        self.bytes = self.bytes.get(written..).unwrap_or_default();
        Ok(self.bytes.is_empty())
    }
}

impl AsFd for Rest<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, Instant};

    use nix::poll::{PollFd, PollFlags};

    use super::*;
    use crate::deadline;

    #[test]
    fn what_does_not_fit_is_fed_as_the_reader_makes_room() {
        let value: Vec<u8> = (0..PIPE_BYTES * 3).map(|index| (index % 251) as u8).collect();
        let (read, end) = pipe2(OFlag::O_CLOEXEC).unwrap();
        fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let written = fill(&end, &value).unwrap();
        assert!(written < value.len());
        let reader = std::thread::spawn(move || {
            let mut seen = Vec::new();
            std::io::PipeReader::from(read).read_to_end(&mut seen).map(|_| seen)
        });
        let until = Instant::now() + Duration::from_secs(10);
        let mut rest = Rest { write: end, bytes: &value[written..] };
        while !rest.feed().unwrap() {
            deadline::wait(&mut [PollFd::new(rest.as_fd(), PollFlags::POLLOUT)], until).unwrap();
        }
        drop(rest);
        assert!(reader.join().unwrap().unwrap() == value);
    }

    #[test]
    fn a_value_that_fits_is_written_and_the_pipe_closed_before_anything_is_sent() {
        let outgoing = send(b"abc").unwrap();
        assert!(outgoing.rest.is_none());
        let mut seen = String::new();
        std::io::PipeReader::from(outgoing.read).read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "abc");
    }
}
