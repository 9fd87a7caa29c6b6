//! Long streams that are no values: a backup on its way out, and one on its way in, through pipes of somebody else.
//!
//! For threads that may block, which nothing here does for long: bytes are moved between their pipe and one of ours by `splice` without
//! waiting, whatever they do to the flags of theirs, and it is looked now and then whether anybody still wants it. Whoever reads a
//! backup has to keep a least pace: what is deleted stays on the disk until it is done.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};

use super::ReceiveError;
use crate::sys::pipe;

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(60);
/// The least that a reader takes, bytes a minute, on an average from the first minute on.
const LEAST: u64 = 1 << 20;
/// How often it is looked whether it is still wanted, milliseconds.
const LOOK: u16 = 100;
/// Most bytes moved at once.
const STEP: usize = 16 * pipe::PAGE;

/// Why a stream ends that nobody wants any more.
pub const UNWANTED: io::ErrorKind = io::ErrorKind::ConnectionAborted;

/// How long somebody was waited for, and what he took in that time.
#[derive(Default)]
struct Pace {
    waited: Cell<Duration>,
    moved: Cell<u64>,
}

impl Pace {
    /// Notes how long it took him to take so many bytes; whether that is too slow. What is waited for nobody is not his.
    fn is_lost(&self, waited: Duration, moved: usize) -> bool {
        self.waited.set(self.waited.get().saturating_add(waited));
        self.moved.set(self.moved.get().saturating_add(moved as u64));
        let minutes = self.waited.get().saturating_sub(PATIENCE).as_secs() / 60;
        self.moved.get() < minutes.saturating_mul(LEAST)
    }
}

/// Their pipe, and ours.
struct Ends {
    theirs: OwnedFd,
    ours: OwnedFd,
    entrance: OwnedFd,
    /// What ours holds.
    room: usize,
    pace: Pace,
}

impl Ends {
    fn new(theirs: OwnedFd) -> io::Result<Self> {
        let (ours, entrance) = pipe::new()?;
        pipe::set_nonblocking(&ours)?;
        pipe::set_nonblocking(&entrance)?;
        let room = pipe::capacity(&ours)?.min(STEP);
        Ok(Self { theirs, ours, entrance, room, pace: Pace::default() })
    }

    /// Moves bytes as soon as that can be done; how many.
    fn move_between(&self, is_out: bool, most: usize, is_wanted: &dyn Fn() -> bool) -> io::Result<usize> {
        let until = Instant::now() + PATIENCE;
        let (from, to, event) = match is_out {
            true => (&self.ours, &self.theirs, PollFlags::POLLOUT),
            false => (&self.theirs, &self.entrance, PollFlags::POLLIN),
        };
        loop {
            if !is_wanted() {
                return Err(UNWANTED.into());
            }
            match pipe::move_now(from, to, most) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                moved => return moved,
            }
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match poll(&mut [PollFd::new(self.theirs.as_fd(), event)], PollTimeout::from(LOOK)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The write end of a pipe that somebody reads.
pub struct PipeSink(Ends);

impl PipeSink {
    /// Takes it.
    ///
    /// # Errors
    /// [`ReceiveError::NoPipe`] for anything else.
    pub fn new(fd: OwnedFd) -> Result<Self, ReceiveError> {
        if !pipe::is_pipe(&fd)? || !pipe::is_writable(&fd)? || pipe::is_readable(&fd)? {
            return Err(ReceiveError::NoPipe("the write end"));
        }
        Ok(Self(Ends::new(fd)?))
    }

    /// Writes to it for as long as that is wanted.
    pub fn while_wanted<'a>(&'a mut self, is_wanted: &'a dyn Fn() -> bool) -> Streaming<'a> {
        Streaming { ends: &self.0, is_wanted }
    }
}

/// The read end of a pipe that somebody writes.
pub struct PipeSource(Ends);

impl PipeSource {
    /// Takes it.
    ///
    /// # Errors
    /// [`ReceiveError::NoPipe`] for anything else.
    pub fn new(fd: OwnedFd) -> Result<Self, ReceiveError> {
        if !pipe::is_pipe(&fd)? || !pipe::is_readable(&fd)? || pipe::is_writable(&fd)? {
            return Err(ReceiveError::NoPipe("the read end"));
        }
        Ok(Self(Ends::new(fd)?))
    }

    /// Reads from it for as long as that is wanted.
    pub fn while_wanted<'a>(&'a mut self, is_wanted: &'a dyn Fn() -> bool) -> Streaming<'a> {
        Streaming { ends: &self.0, is_wanted }
    }
}

/// A stream that is under way.
pub struct Streaming<'a> {
    ends: &'a Ends,
    is_wanted: &'a dyn Fn() -> bool,
}

impl Write for Streaming<'_> {
    /// Writes all that it takes: ours is empty before and afterwards.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = bytes.get(..bytes.len().min(self.ends.room)).unwrap_or_default();
        let taken = write(&self.ends.entrance, step)?;
        let mut left = taken;
        while left > 0 {
            let begun = Instant::now();
            let moved = self.ends.move_between(true, left, self.is_wanted)?;
            if self.ends.pace.is_lost(begun.elapsed(), moved) {
                let why = "less than 1 MiB a minute was read, and what is deleted stays on the disk meanwhile";
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            left -= moved;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Streaming<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match read(&self.ends.ours, room) {
            Err(Errno::EAGAIN) => {}
            found => return Ok(found?),
        }
        match self.ends.move_between(false, self.ends.room, self.is_wanted)? {
            0 => Ok(0),
            _ => Ok(read(&self.ends.ours, room)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::thread;

    use super::*;

    #[test]
    fn a_stream_of_any_length_goes_through() {
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|at| (at % 251) as u8).collect();
        let ((out, entrance), sent) = (pipe::new().unwrap(), bytes.clone());
        let writer = thread::spawn(move || {
            let mut sink = PipeSink::new(entrance).unwrap();
            sink.while_wanted(&|| true).write_all(&sent).unwrap();
        });
        let mut source = PipeSource::new(out).unwrap();
        let mut read = Vec::new();
        source.while_wanted(&|| true).read_to_end(&mut read).unwrap();
        writer.join().unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn whoever_reads_slower_than_a_mebibyte_a_minute_is_left_behind_after_the_first_one() {
        let seconds = Duration::from_secs;
        let pace = Pace::default();
        assert!(!pace.is_lost(seconds(60), 1), "the first minute");
        assert!(!pace.is_lost(seconds(59), 1), "the second is not over");
        assert!(pace.is_lost(seconds(1), 1));
        let pace = Pace::default();
        for _ in 0..600 {
            assert!(!pace.is_lost(seconds(60), 1 << 20), "at that pace for ever");
        }
        assert!(!pace.is_lost(seconds(60), 100 << 20));
        assert!(!pace.is_lost(seconds(60 * 100), 0), "on an average");
        assert!(pace.is_lost(seconds(60), 0));
    }

    #[test]
    fn what_nobody_reads_or_wants_ends() {
        let (out, entrance) = pipe::new().unwrap();
        let mut sink = PipeSink::new(entrance).unwrap();
        let asked = Cell::new(0);
        let wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < 20
        };
        // The pipe is full, and nobody reads.
        let error = sink.while_wanted(&wanted).write_all(&[1; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), UNWANTED);
        drop((out, sink));
        let (out, entrance) = pipe::new().unwrap();
        let mut sink = PipeSink::new(entrance).unwrap();
        drop(out);
        let error = sink.while_wanted(&|| true).write_all(&[1; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let (out, _entrance) = pipe::new().unwrap();
        let mut source = PipeSource::new(out).unwrap();
        assert_eq!(source.while_wanted(&|| false).read(&mut [0; 10]).unwrap_err().kind(), UNWANTED);
    }

    #[test]
    fn only_the_right_end_of_a_pipe_is_taken() {
        let (out, entrance) = pipe::new().unwrap();
        let file = || OwnedFd::from(File::open("/dev/null").unwrap());
        assert!(PipeSink::new(file()).is_err() && PipeSource::new(file()).is_err());
        assert!(PipeSink::new(out).is_err() && PipeSource::new(entrance).is_err());
    }
}
