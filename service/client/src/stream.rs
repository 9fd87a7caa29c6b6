//! A connected Unix socket that waits no longer than it is told to.
//!
//! Bytes are waited for by `poll(2)` and not in `recvmsg(2)`, which would be one system call less: the kernel wakes whoever
//! waits in there also when the other end has read what was sent, for nothing and on every call.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::deadline;
use crate::inbox::Inbox;
use crate::sys;

/// The socket.
pub(crate) struct Stream(OwnedFd);

impl Stream {
    /// Connects; also to a listener whose queue is full, which is waited for.
    ///
    /// # Errors
    /// `ETIMEDOUT` when the time passes first, else the kernel's.
    pub(crate) fn connect(address: &UnixAddr, until: Instant) -> Result<Self, Errno> {
        let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        loop {
            let left = deadline::left(until);
            if left.is_zero() {
                return Err(Errno::ETIMEDOUT);
            }
            // Poll does not wait for a listener's queue; the socket's limit for sending does (unix(7)).
            setsockopt(&fd, sockopt::SendTimeout, &time_value(left))?;
            match connect(fd.as_raw_fd(), address) {
                Ok(()) => return Ok(Self(fd)),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits for bytes, and takes what is there; how many, 0 at the end of the stream.
    ///
    /// # Errors
    /// `ETIMEDOUT` when the time passes first, else the kernel's.
    pub(crate) fn receive(&self, inbox: &mut Inbox, until: Instant) -> Result<usize, Errno> {
        loop {
            deadline::wait(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], until)?;
            if let Some(count) = self.receive_now(inbox)? {
                return Ok(count);
            }
        }
    }

    /// Takes the bytes that are there: `None` when there are none.
    pub(crate) fn receive_now(&self, inbox: &mut Inbox) -> Result<Option<usize>, Errno> {
        match inbox.receive(&self.0) {
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Sends what the socket takes without waiting; descriptors go with the first byte. How much.
    pub(crate) fn send(&self, bytes: &[u8], fds: &[RawFd]) -> Result<usize, Errno> {
        sys::send(&self.0, bytes, fds)
    }
}

/// Never zero, which would be no limit.
fn time_value(time: Duration) -> TimeVal {
    TimeVal::microseconds(i64::try_from(time.as_micros()).unwrap_or(i64::MAX).max(1))
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
impl From<std::os::unix::net::UnixStream> for Stream {
    fn from(stream: std::os::unix::net::UnixStream) -> Self {
        Self(stream.into())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sys::socket::{Backlog, bind, listen};

    use super::*;
    use crate::fixture::{in_millis, soon};
    use crate::sys::Interruptible;

    /// A listener that lets nobody wait but the one who waits already.
    fn full_listener() -> (OwnedFd, UnixAddr, Stream) {
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        // The kernel chooses a free abstract name.
        bind(listener.as_raw_fd(), &UnixAddr::new_unnamed()).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = nix::sys::socket::getsockname(listener.as_raw_fd()).unwrap();
        let first = Stream::connect(&address, soon()).unwrap();
        (listener, address, first)
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_waited_for_until_the_deadline() {
        let (_listener, address, _first) = full_listener();
        let began = Instant::now();
        assert_eq!(Stream::connect(&address, in_millis(100)).err(), Some(Errno::ETIMEDOUT));
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
    }

    #[test]
    fn a_listener_that_makes_room_is_connected_to_also_after_signals() {
        let (listener, address, _first) = full_listener();
        let caller = Interruptible::current();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..50 {
                    caller.interrupt();
                    thread::park_timeout(Duration::from_micros(200));
                }
                nix::sys::socket::accept(listener.as_raw_fd()).unwrap();
            });
            assert!(Stream::connect(&address, soon()).is_ok());
        });
    }
}
