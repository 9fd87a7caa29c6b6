//! The other side of a connection, for tests: says and does what a test wants.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use zbus::Message;
use zbus::message::Builder;

use crate::connection::Connection;
use crate::deadline;
use crate::inbox::Inbox;
use crate::stream::Stream;

/// Longer than any test takes.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A little later than now.
pub(crate) fn in_millis(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

/// The other side.
pub(crate) struct Peer {
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
}

/// A greeted connection and its other side.
pub(crate) fn connect() -> (Connection, Peer) {
    let (here, there) = UnixStream::pair().unwrap();
    (Connection::new(here.into(), Inbox::new(), None), Peer::new(there))
}

impl Peer {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream: stream.into(), inbox: Inbox::new() }
    }

    /// The next message from the client; `None` when it has gone.
    pub(crate) fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.inbox.next().unwrap() {
                return Some(message);
            }
            if !matches!(self.stream.receive(&mut self.inbox, soon()), Ok(1..)) {
                return None;
            }
        }
    }

    /// Takes whatever the client says until it has gone.
    pub(crate) fn wait_for_end(&mut self) {
        while matches!(self.stream.receive(&mut self.inbox, soon()), Ok(1..)) {
            self.inbox.consume(usize::MAX);
        }
    }

    /// Sends all of `bytes`, and `fds` with the first.
    pub(crate) fn say_with(&self, mut bytes: &[u8], mut fds: &[RawFd]) {
        while !bytes.is_empty() {
            let count = self.stream.send(bytes, fds).unwrap();
            if count == 0 {
                deadline::wait(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)], soon()).unwrap();
                continue;
            }
            bytes = &bytes[count..];
            fds = &[];
        }
    }

    pub(crate) fn say(&self, bytes: &[u8]) {
        self.say_with(bytes, &[]);
    }

    /// Sends a message with the descriptors that it carries.
    pub(crate) fn send(&self, message: &Message) {
        self.say_with(message.data().bytes(), &numbers(message));
    }

    /// Sends a short message if the client has not gone yet.
    pub(crate) fn send_if_there(&self, message: &Message) {
        let _ = self.stream.send(message.data().bytes(), &numbers(message));
    }
}

fn numbers(message: &Message) -> Vec<RawFd> {
    message.data().fds().iter().map(AsRawFd::as_raw_fd).collect()
}

/// A reply to `call`, to be built.
pub(crate) fn reply_to(call: &Message) -> Builder<'static> {
    Message::method_return(&call.header())
}

/// A signal with `body`.
pub(crate) fn signal<B: serde::Serialize + zbus::DynamicType>(body: &B) -> Message {
    Message::signal("/a", "b.c", "Happened").build(body).unwrap()
}
