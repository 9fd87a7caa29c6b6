//! Outgoing values: written into a pipe of our own, whose read end goes to the daemon.
//!
//! The bytes go from the caller's memory into the kernel and nowhere else. Whatever fits is written before the call is
//! sent, and the write end closed, so that a small value needs no thread and no turn of the runtime.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, write};
use tokio::net::unix::pipe::Sender;

use crate::error::Error;

/// What a pipe holds unless it is asked to hold more.
const PIPE_BYTES: usize = 65536;

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
    let failed = |errno| Error::local("make a pipe for the value", &errno);
    let (read, end) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    // Ours only: the two ends of a pipe have their own flags, and the daemon sets what it wants on its end.
    fcntl(&end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
    if value.len() > PIPE_BYTES {
        grow(&end, value.len());
    }
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
    /// Writes the rest as the daemon makes room, then closes the pipe.
    ///
    /// The caller keeps a read end open meanwhile: a pipe without readers would send this program a signal. So a daemon
    /// that does not want the value leaves this waiting, and its answer ends the wait.
    pub(crate) async fn feed(mut self) -> std::io::Result<()> {
        let sender = Sender::from_owned_fd(self.write)?;
        while !self.bytes.is_empty() {
            sender.writable().await?;
            match sender.try_write(self.bytes) {
                Ok(count) => self.bytes = self.bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(Rest { write: end, bytes: &value[written..] }.feed()).unwrap();
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
