//! Incoming values: read from the daemon's pipe into memory that is wiped.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::unistd::read;
use tokenvault_proto::memory::{self, NoMemory};
use tokenvault_proto::{ErrorCode, TokenInfo};
use zeroize::Zeroizing;

use crate::deadline;
use crate::error::Error;
use crate::sys;

/// Larger than any value a vault is configured to keep; a size beyond it is a broken answer, not memory to allocate.
const VALUE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A token with its value. The value is wiped when this is dropped.
pub struct Value {
    /// Its bytes, and a zero byte behind them.
    data: Zeroizing<Vec<u8>>,
    info: TokenInfo,
}

impl Value {
    /// The value's bytes.
    pub fn data(&self) -> &[u8] {
        self.data.split_last().map_or(&[], |(_zero, value)| value)
    }

    /// The value's bytes, and a zero byte that is none of them: what C can take for a string.
    pub fn data_with_zero(&self) -> &[u8] {
        &self.data
    }

    /// Everything else about the token.
    pub fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// `data` is the value and one zero byte more.
    pub(crate) const fn new(data: Zeroizing<Vec<u8>>, info: TokenInfo) -> Self {
        Self { data, info }
    }

    /// Reads exactly the bytes that `info` announces.
    pub(crate) fn receive(
        pipe: BorrowedFd<'_>,
        info: TokenInfo,
        until: Instant,
        repeatable: bool,
    ) -> Result<Self, Error> {
        let size = size(&info)?;
        let mut data = room(size, repeatable)?;
        let mut count = 0;
        while count < size {
            match read_some(pipe, data.get_mut(count..).unwrap_or_default(), until) {
                Ok(0) | Err(Errno::ETIMEDOUT) => return Err(withdrawn(count as u64, info.size)),
                Ok(more) => count += more,
                Err(errno) => return Err(Error::local("read the value", &errno)),
            }
        }
        if count > size {
            return Err(too_long(info.size));
        }
        Ok(Self { data, info })
    }
}

/// Reads what comes next, 0 at the end of the pipe. The daemon fills the pipe before it answers, so nearly always all of the
/// value is there; if not, it is waited for.
pub(crate) fn read_some(pipe: BorrowedFd<'_>, buffer: &mut [u8], until: Instant) -> Result<usize, Errno> {
    let readable = || deadline::wait(&mut [PollFd::new(pipe, PollFlags::POLLIN)], until);
    loop {
        let result = match sys::read_now(pipe, buffer) {
            Err(Errno::EAGAIN | Errno::EINTR) => {
                readable()?;
                continue;
            }
            // The kernel does not do this with pipes, so it is waited for first.
            Err(_) => readable().and_then(|()| read(pipe, buffer)),
            result => result,
        };
        if result != Err(Errno::EINTR) {
            return result;
        }
    }
}

/// Bytes of a value, where it can be one.
pub(crate) fn size(info: &TokenInfo) -> Result<usize, Error> {
    usize::try_from(info.size)
        .ok()
        .filter(|_| info.size <= VALUE_BYTES_MAX)
        .ok_or_else(|| Error::malformed("Get", &format!("a value of {} bytes", info.size)))
}

/// Memory for a value of so many bytes, allocated once: growing would leave copies behind. It has one byte more, so that a read
/// shows whether there is more than was announced; it stays zero where there is not.
pub(crate) fn room(size: usize, repeatable: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut data = Zeroizing::new(Vec::new());
    memory::exactly(&mut data, size + 1).map_err(|NoMemory| Error::no_memory_for_answer(repeatable))?;
    data.resize(size + 1, 0);
    Ok(data)
}

pub(crate) fn too_long(size: u64) -> Error {
    Error::malformed("Get", &format!("more than the {size} bytes announced"))
}

pub(crate) fn withdrawn(count: u64, size: u64) -> Error {
    let message = format!("only {count} of {size} bytes of the value came in time; try again");
    Error::new(ErrorCode::Timeout, message)
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("info", &self.info).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use nix::unistd::{pipe, write};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn info(size: u64) -> TokenInfo {
        TokenInfo { size, ..TokenInfo::default() }
    }

    #[test]
    fn the_announced_bytes_are_the_value() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"abc").unwrap();
        let value = Value::receive(reader.as_fd(), info(3), soon(), true).unwrap();
        assert_eq!((value.data(), value.data_with_zero()), (&b"abc"[..], &b"abc\0"[..]));
    }

    #[test]
    fn a_pipe_that_ends_early_is_a_timeout_and_no_value() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"ab").unwrap();
        drop(writer);
        let error = Value::receive(reader.as_fd(), info(3), soon(), true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Timeout);
        assert!(error.to_string().contains("2 of 3"), "{error}");
    }

    #[test]
    fn a_pipe_that_stalls_is_a_timeout_at_the_deadline() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"ab").unwrap();
        let error =
            Value::receive(reader.as_fd(), info(3), Instant::now() + Duration::from_millis(20), true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Timeout);
    }

    /// The kernel refuses to read from a named pipe without waiting, as older ones do from any: what is there, what comes
    /// later and what never comes is told apart all the same.
    #[test]
    fn a_pipe_that_must_be_waited_for_first_gives_the_same_value() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let pipe = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(sys::read_now(&pipe, &mut [0]), Err(Errno::EOPNOTSUPP));
        write(&pipe, b"ab").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| write(&pipe, b"c").unwrap());
            let value = Value::receive(pipe.as_fd(), info(3), soon(), true).unwrap();
            assert_eq!(value.data(), b"abc");
        });
        write(&pipe, b"ab").unwrap();
        let error =
            Value::receive(pipe.as_fd(), info(3), Instant::now() + Duration::from_millis(20), true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Timeout);
    }

    #[test]
    fn more_bytes_than_announced_are_refused() {
        let (reader, writer) = pipe().unwrap();
        write(&writer, b"abcd").unwrap();
        let error = Value::receive(reader.as_fd(), info(3), soon(), true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Failed);
    }

    #[test]
    fn an_absurd_size_is_refused_before_memory_is_taken() {
        let (reader, _writer) = pipe().unwrap();
        let error = Value::receive(reader.as_fd(), info(u64::MAX), soon(), true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Failed);
    }

    #[test]
    fn a_value_does_not_show_in_debug() {
        let value = Value { data: Zeroizing::new(b"hunter2\0".to_vec()), info: info(7) };
        let text = format!("{value:?}");
        assert!(!text.contains("hunter2") && !text.contains("104"), "{text}");
    }
}
