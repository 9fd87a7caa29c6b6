//! A long value on its way in, read piece by piece.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use tokenvault_proto::TokenInfo;

use crate::error::Error;
use crate::value::{self, Value};

/// A token whose value is still in its pipe. What was read of it is the value only when [`ValueStream::read`] has said so with 0.
pub struct ValueStream {
    pipe: OwnedFd,
    info: TokenInfo,
    /// Bytes that were read.
    count: u64,
    /// How long the next ones may take to come.
    patience: Duration,
    /// Whether to ask again changes nothing.
    repeatable: bool,
}

impl ValueStream {
    pub(crate) const fn new(pipe: OwnedFd, info: TokenInfo, patience: Duration, repeatable: bool) -> Self {
        Self { pipe, info, count: 0, patience, repeatable }
    }

    /// Everything about the token but its value.
    pub const fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// Bytes that were read so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Reads what comes next into `buffer`, which has room; how much. 0: that was all of the value.
    ///
    /// # Errors
    /// `Timeout` when nothing comes in time, or an end before that of the value.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = value::read_some(self.pipe.as_fd(), buffer, Instant::now() + self.patience);
        let count = match read {
            Ok(0) if self.count == self.info.size => return Ok(0),
            Ok(0) | Err(Errno::ETIMEDOUT) => return Err(value::withdrawn(self.count, self.info.size)),
            Ok(count) => count,
            Err(errno) => return Err(Error::local("read the value", &errno)),
        };
        self.count += count as u64;
        if self.count > self.info.size {
            return Err(value::too_long(self.info.size));
        }
        Ok(count)
    }

    /// Reads all of it, from its beginning.
    ///
    /// # Errors
    /// As [`ValueStream::read`].
    pub fn read_whole(mut self) -> Result<Value, Error> {
        let size = value::size(&self.info)?;
        let mut data = value::room(size, self.repeatable)?;
        let mut count = 0;
        loop {
            match self.read(data.get_mut(count..).unwrap_or_default())? {
                0 => break,
                more => count += more,
            }
        }
        Ok(Value::new(data, self.info))
    }
}

impl fmt::Debug for ValueStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueStream").field("info", &self.info).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::{pipe, write};
    use tokenvault_proto::ErrorCode;

    use super::*;

    fn stream(size: u64) -> (ValueStream, OwnedFd) {
        let (reader, writer) = pipe().unwrap();
        let info = TokenInfo { size, ..TokenInfo::default() };
        (ValueStream::new(reader, info, Duration::from_millis(50), true), writer)
    }

    #[test]
    fn the_announced_bytes_are_the_value_in_pieces_or_whole() {
        for whole in [false, true] {
            let (mut stream, writer) = stream(5);
            write(&writer, b"abcde").unwrap();
            drop(writer);
            if whole {
                assert_eq!(stream.read_whole().unwrap().data(), b"abcde");
                continue;
            }
            let mut room = [0; 3];
            assert_eq!((stream.read(&mut room).unwrap(), &room), (3, b"abc"));
            assert_eq!((stream.read(&mut room).unwrap(), &room[..2]), (2, &b"de"[..]));
            assert_eq!((stream.read(&mut room).unwrap(), stream.count()), (0, 5));
        }
    }

    #[test]
    fn an_end_before_its_time_and_a_standstill_are_timeouts() {
        for ends in [true, false] {
            let (mut stream, writer) = stream(5);
            write(&writer, b"abc").unwrap();
            let _open = (!ends).then_some(writer);
            let mut room = [0; 8];
            assert_eq!(stream.read(&mut room).unwrap(), 3);
            let error = stream.read(&mut room).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Timeout);
            assert!(error.to_string().contains("3 of 5"), "{error}");
        }
    }

    #[test]
    fn more_than_was_announced_is_refused() {
        for whole in [false, true] {
            let (mut stream, writer) = stream(2);
            write(&writer, b"abc").unwrap();
            drop(writer);
            let error = if whole { stream.read_whole().map(drop) } else { stream.read(&mut [0; 8]).map(drop) };
            assert_eq!(error.unwrap_err().code(), ErrorCode::Failed);
        }
    }
}
