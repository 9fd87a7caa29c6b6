//! An open door: one call at a time.
//!
//! There is no runtime and no thread: the calling thread sends, waits and receives. A call whose value fits its pipe, as
//! nearly all do, is three system calls: to send, to wait, to receive.

mod signals;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use tokenvault_proto::memory::NoMemory;
use zbus::Message;
use zbus::message::Type;

use crate::deadline;
use crate::head::{Call, Head};
use crate::inbox::Inbox;
use crate::method::Method;
use crate::peer::Answers;
use crate::pipe::Rest;
use crate::stream::Stream;

/// A greeted connection.
pub(crate) struct Connection {
    stream: Stream,
    inbox: Inbox,
    answers: Answers,
    /// On a bus the vault has a name; at its own socket it is the only one there.
    destination: Option<&'static str>,
    /// The number of the last message that went out.
    serial: NonZeroU32,
    /// Signals that came while something else was waited for.
    signals: VecDeque<Message>,
    /// Whose signals are taken: on a bus, the vault's name there.
    vault: Option<String>,
}

/// A call, ready to be sent.
pub(crate) struct Prepared<'v> {
    pub(crate) call: Call,
    /// What is still to be written of the value that goes with it.
    pub(crate) rest: Option<Rest<'v>>,
}

/// Why there is no reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The daemon never had the whole message: nothing was done.
    Unsent(String),
    /// The daemon may have had it.
    Lost(String),
    /// The deadline passed first.
    Late,
    /// There is no memory for what came.
    NoMemory {
        /// Whether the daemon may have had the whole message.
        is_sent: bool,
    },
}

impl Connection {
    /// On what was greeted; `inbox` has what came behind the greeting.
    pub(crate) fn new(stream: Stream, inbox: Inbox, destination: Option<&'static str>) -> Self {
        let (answers, serial, signals) = (Answers::default(), NonZeroU32::MIN, VecDeque::new());
        Self { stream, inbox, answers, destination, serial, signals, vault: None }
    }

    /// The head of the next call through this door.
    pub(crate) fn head(&mut self, method: &Method) -> Head {
        Head::new(method, self.destination, next(&mut self.serial))
    }

    /// Sends a call and waits for its reply, be it a result or an error. After a failure nothing more can be said through
    /// this connection.
    ///
    /// The call, and with it the read end of a value's pipe, is kept until the reply: see [`Rest::feed`].
    pub(crate) fn exchange(&mut self, prepared: Prepared<'_>, until: Instant) -> Result<Message, Failure> {
        let Prepared { call, rest } = prepared;
        let fds = call.body.fds().iter().map(AsRawFd::as_raw_fd).collect();
        self.converse(call.serial, Sending { bytes: &call.bytes, is_begun: false, fds, rest }, until)
    }

    /// Waits for the reply to a call that was sent with the greeting.
    pub(crate) fn await_reply(&mut self, serial: NonZeroU32, until: Instant) -> Result<Message, Failure> {
        self.converse(serial, Sending { bytes: &[], is_begun: true, fds: Vec::new(), rest: None }, until)
    }

    /// Sends and receives until the reply is here. What else comes is answered if it asks for it, and dropped.
    fn converse(
        &mut self,
        serial: NonZeroU32,
        mut sending: Sending<'_, '_>,
        until: Instant,
    ) -> Result<Message, Failure> {
        loop {
            while let Some(message) = self.inbox.next().map_err(|error| sending.unread(&error))? {
                let is_reply = matches!(message.message_type(), Type::MethodReturn | Type::Error);
                if is_reply && message.header().reply_serial() == Some(serial) && sending.bytes.is_empty() {
                    return Ok(message);
                }
                self.heed(message).map_err(|error| sending.unread(&error))?;
            }
            let received = self.send_and_receive(&mut sending, until);
            if received.map_err(|errno| sending.broken(errno))? == Some(0) {
                return Err(sending.failed("closed".to_owned()));
            }
        }
    }

    /// One turn: sends what can be sent, then waits, for bytes or for room to send the rest. How many bytes came, 0 at the
    /// end of the stream.
    fn send_and_receive(&mut self, sending: &mut Sending<'_, '_>, until: Instant) -> Result<Option<usize>, Errno> {
        // What is begun is finished before anything else is said.
        if sending.is_begun || self.answer()? {
            sending.send_more(&self.stream)?;
        }
        let is_said = sending.bytes.is_empty() && self.answer()?;
        let mut fds = Vec::with_capacity(2);
        let events = if is_said { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT };
        fds.push(PollFd::new(self.stream.as_fd(), events));
        if let Some(rest) = sending.rest.as_ref().filter(|_| sending.bytes.is_empty()) {
            fds.push(PollFd::new(rest.as_fd(), PollFlags::POLLOUT));
        }
        deadline::wait(&mut fds, until)?;
        self.stream.receive_now(&mut self.inbox)
    }

    /// Sends the answers that wait; whether all are sent.
    fn answer(&mut self) -> Result<bool, Errno> {
        while !self.answers.bytes().is_empty() {
            match self.stream.send(self.answers.bytes(), &[])? {
                0 => return Ok(false),
                count => self.answers.consume(count),
            }
        }
        Ok(true)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The number of the next message that goes out: no two of a connection have one.
fn next(serial: &mut NonZeroU32) -> NonZeroU32 {
    *serial = serial.checked_add(1).unwrap_or(NonZeroU32::MIN);
    *serial
}

/// A call on its way.
struct Sending<'m, 'v> {
    /// What the socket has not taken yet.
    bytes: &'m [u8],
    is_begun: bool,
    fds: Vec<RawFd>,
    rest: Option<Rest<'v>>,
}

impl Sending<'_, '_> {
    /// Sends what the socket takes, then writes what the value's pipe takes.
    fn send_more(&mut self, stream: &Stream) -> Result<(), Errno> {
        while !self.bytes.is_empty() {
            match stream.send(self.bytes, &self.fds)? {
                0 => return Ok(()),
                count => {
                    self.bytes = self.bytes.get(count..).unwrap_or_default();
                    self.is_begun = true;
                    self.fds.clear();
                }
            }
        }
        if let Some(rest) = &mut self.rest
            && rest.feed()?
        {
            // Closes the pipe.
            self.rest = None;
        }
        Ok(())
    }

    fn broken(&self, errno: Errno) -> Failure {
        match errno {
            Errno::ETIMEDOUT => Failure::Late,
            Errno::ENOMEM => Failure::NoMemory { is_sent: self.bytes.is_empty() },
            errno => self.failed(errno.desc().to_owned()),
        }
    }

    fn unread(&self, error: &zbus::Error) -> Failure {
        if NoMemory::is_in(error) { self.broken(Errno::ENOMEM) } else { self.failed(cause(error)) }
    }

    /// A message is acted on when its last byte is there, so one that was not sent as a whole was never acted on.
    fn failed(&self, cause: String) -> Failure {
        if self.bytes.is_empty() { Failure::Lost(cause) } else { Failure::Unsent(cause) }
    }
}

/// The innermost reason; the layers above only repeat what the caller knows.
pub(crate) fn cause(error: &zbus::Error) -> String {
    match error {
        error if NoMemory::is_in(error) => Errno::ENOMEM.desc().to_owned(),
        zbus::Error::InputOutput(error) => match error.raw_os_error() {
            // Without the number that std puts behind it.
            Some(number) => Errno::from_raw(number).desc().to_owned(),
            None => error.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
