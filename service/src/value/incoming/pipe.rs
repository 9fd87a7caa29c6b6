//! Emptying somebody else's pipe.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::read;
use tokenvault_core::Secret;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{ReceiveError, Room};
use crate::sys::{pipe, ready};

/// Room to begin with; most values are smaller.
const FIRST_ROOM: usize = 1024;

/// Most bytes moved at once; what a pipe holds by default.
const STEP: usize = 16 * pipe::PAGE;

/// How long to leave a pipe alone that claims to have ended and has not.
const REOPENED_PAUSE: Duration = Duration::from_millis(20);

/// What was taken of a value in one piece.
pub(super) enum Drained {
    /// All of it.
    Whole(Secret),
    /// As many bytes as are taken so, or fewer; there are more.
    Beginning(Secret, Source),
}

/// Reads to the end, at most `limit` bytes.
pub(super) async fn drain(fd: OwnedFd, limit: usize, room: Room<'_>) -> Result<Drained, ReceiveError> {
    let mut source = Source::new(fd)?;
    let mut collected = Collected::new(limit, room)?;
    while source.wait().await? {
        if collected.len + source.waiting > limit {
            return Ok(Drained::Beginning(collected.finish()?, source));
        }
        collected.take(&mut source)?;
        // A writer faster than we are must not keep this thread for itself.
        tokio::task::coop::consume_budget().await;
    }
    collected.finish().map(Drained::Whole)
}

/// Their pipe, and ours through which its bytes go.
pub(super) struct Source {
    theirs: AsyncFd<OwnedFd>,
    entrance: OwnedFd,
    ours: OwnedFd,
    /// Bytes in our pipe.
    waiting: usize,
}

impl Source {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        let theirs = ready::watch(fd, Interest::READABLE)?;
        let (ours, entrance) = pipe::new()?;
        Ok(Self { theirs, entrance, ours, waiting: 0 })
    }

    /// Whether there are bytes that can be read without waiting.
    pub(super) const fn has_bytes(&self) -> bool {
        self.waiting > 0
    }

    /// Waits for bytes, where there are none; whether any came before the end.
    pub(super) async fn wait(&mut self) -> io::Result<bool> {
        if self.waiting == 0 {
            self.waiting = move_when_ready(&self.theirs, &self.entrance).await?;
        }
        Ok(self.waiting > 0)
    }

    /// Reads what is there into `room`, as far as it goes; how much.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = room.len().min(self.waiting);
        let mut len = 0;
        while let Some(rest) = room.get_mut(len..most).filter(|rest| !rest.is_empty()) {
            match read(&self.ours, rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => len += count,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.waiting -= len;
        Ok(len)
    }
}

/// Moves what comes next into our own pipe, which is empty before each move: "would block" can only mean theirs.
async fn move_when_ready(theirs: &AsyncFd<OwnedFd>, entrance: &OwnedFd) -> io::Result<usize> {
    loop {
        let mut guard = theirs.readable().await?;
        match pipe::move_now(theirs, entrance, STEP) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // The last writer had gone, and then someone opened the pipe again by way of /proc: readiness for the
                // end is never taken back, so waiting for it would spin.
                if guard.ready().is_read_closed() {
                    tokio::time::sleep(REOPENED_PAUSE).await;
                } else {
                    guard.clear_ready();
                }
            }
            result => return result,
        }
    }
}

/// What has come so far, in memory that grows and is wiped as it is left behind.
struct Collected<'a> {
    limit: usize,
    room: Room<'a>,
    bytes: Secret,
    len: usize,
}

impl<'a> Collected<'a> {
    fn new(limit: usize, mut room: Room<'a>) -> Result<Self, ReceiveError> {
        let bytes = room.zeroed(FIRST_ROOM.min(limit))?;
        Ok(Self { limit, room, bytes, len: 0 })
    }

    /// Takes the bytes that wait, for which the limit has room.
    fn take(&mut self, source: &mut Source) -> Result<(), ReceiveError> {
        let end = self.len + source.waiting;
        self.make_room(end)?;
        self.len += source.read(self.bytes.expose_mut().get_mut(self.len..end).unwrap_or_default())?;
        Ok(())
    }

    fn make_room(&mut self, needed: usize) -> Result<(), ReceiveError> {
        if needed <= self.bytes.len() {
            return Ok(());
        }
        self.resize(needed.max(self.bytes.len() * 4).min(self.limit))
    }

    fn finish(mut self) -> Result<Secret, ReceiveError> {
        self.resize(self.len)?;
        Ok(self.bytes)
    }

    /// Moves what has come into a region of `len` bytes.
    fn resize(&mut self, len: usize) -> Result<(), ReceiveError> {
        let mut to = self.room.zeroed(len)?;
        for (to, from) in to.expose_mut().iter_mut().zip(self.bytes.expose().iter().take(self.len)) {
            *to = *from;
        }
        self.bytes = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    /// Processor time of this thread so far, in microseconds.
    fn processor_usec() -> i64 {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        let usec = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        usec(usage.user_time()) + usec(usage.system_time())
    }

    #[tokio::test]
    async fn a_pipe_opened_again_after_its_end_costs_no_processor_time() {
        let (read, write) = pipe::new().unwrap();
        let (_ours, entrance) = pipe::new().unwrap();
        let theirs = ready::watch(read, Interest::READABLE).unwrap();
        drop(write);
        assert!(theirs.readable().await.unwrap().ready().is_read_closed());
        let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
        let _reopened = File::options().write(true).open(path).unwrap();
        let before = processor_usec();
        let moving = move_when_ready(&theirs, &entrance);
        assert!(tokio::time::timeout(Duration::from_millis(500), moving).await.is_err());
        assert!(processor_usec() - before < 250_000);
    }
}
