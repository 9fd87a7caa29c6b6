//! The two halves of a connection as zbus sees them.
//!
//! zbus makes room for what a header claims before it has it. So nothing of a message is shown to zbus before all of it
//! is here, measured, and counted as a call in flight; then it is handed out in the pieces zbus asks for.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, timeout_at};
use zbus::Message;
use zbus::connection::socket::{BoxedSplit, ReadHalf, Split, WriteHalf};
use zbus::export::async_trait::async_trait;
use zbus::message::Type;

use super::Host;
use super::account::Account;
use super::flight::Flight;
use super::header::{self, Header};
use super::inbox::{Inbox, MOST_DESCRIPTORS};
use super::outbox;
use super::refusal::{self, Cause};

/// Messages that are no calls, taken of one client over its whole connection. An honest one sends none: the vault asks its
/// clients nothing, so there is nothing to answer, and it watches no signal.
const MOST_NO_CALLS: u32 = 16;

/// Pause of a connection whose user is over a rate.
const RATE_PAUSE: Duration = Duration::from_millis(10);

/// What both halves know of their connection.
pub(super) struct Wire {
    /// The socket.
    pub(super) socket: AsyncFd<OwnedFd>,
    /// Calls without a reply.
    pub(super) flight: Flight,
    /// What stands behind the door.
    pub(super) host: Arc<dyn Host>,
    /// What its uid holds of the daemon's descriptors.
    pub(super) account: Arc<Account>,
    /// Whose connection it is.
    pub(super) uid: u32,
    /// Whether the client said it can take descriptors.
    pub(super) passes_fds: bool,
    /// Longest time from the first byte of a message to its last.
    pub(super) message_time: Duration,
    /// Longest time a reply may wait for room in the client's socket.
    pub(super) stall_time: Duration,
}

impl Wire {
    /// Ends the connection; whoever reads or writes finds out at once.
    pub(super) fn hang_up(&self) {
        // It may have ended already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }
}

/// A connection zbus can use, from a socket that was greeted and what came behind the greeting.
pub(super) fn split(wire: &Arc<Wire>, inbox: Inbox) -> BoxedSplit {
    let reader = Reader { wire: Arc::clone(wire), inbox, left: 0, fds: Vec::new(), no_calls: 0 };
    Split::new(Box::new(reader), Box::new(Writer { wire: Arc::clone(wire) }))
}

/// Hands whole, measured calls to zbus.
struct Reader {
    wire: Arc<Wire>,
    inbox: Inbox,
    /// Bytes of the present message that zbus has not asked for yet.
    left: usize,
    fds: Vec<OwnedFd>,
    /// Messages so far that were no calls.
    no_calls: u32,
}

impl Reader {
    /// Waits for the next call; whether there is one.
    async fn next_call(&mut self) -> io::Result<bool> {
        while let Some(header) = self.next_message().await? {
            let silence = self.wire.host.silence(self.wire.uid);
            if !silence.is_zero() {
                sleep(silence).await;
            }
            self.fds = self.take_descriptors(&header)?;
            if header.is_call {
                self.wait_for_rate(&header).await;
                let taken_in = self.wire.account.take_in(self.fds.len()).await;
                if !self.wire.flight.take_off(header.serial, header.len, header.no_reply, taken_in).await {
                    return Ok(false);
                }
                header::expect_reply(self.inbox.bytes_mut());
                self.left = header.len;
                return Ok(true);
            }
            // No ticket is taken for these, so nothing else would keep a client from having them read for ever.
            self.no_calls += 1;
            if self.no_calls > MOST_NO_CALLS {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too many messages that are no calls"));
            }
            self.fds.clear();
            self.inbox.consume(header.len);
        }
        Ok(false)
    }

    /// Waits until the call may be answered, as far as nobody else sees to that.
    async fn wait_for_rate(&self, header: &Header) {
        let message = self.inbox.bytes().get(..header.len).unwrap_or_default();
        // What cannot be read here zbus may still be able to read.
        let interface = header.interface(message).ok().flatten();
        while !self.wire.host.admits(self.wire.uid, interface) {
            sleep(RATE_PAUSE).await;
        }
    }

    /// Waits until a message is here as a whole; `None` at the end.
    async fn next_message(&mut self) -> io::Result<Option<Header>> {
        let mut complete_by = None;
        loop {
            if let Some(header) = Header::read(self.inbox.bytes())?
                && self.inbox.bytes().len() >= header.len
            {
                return Ok(Some(header));
            }
            if complete_by.is_none() && !self.inbox.bytes().is_empty() {
                complete_by = Some(Instant::now() + self.wire.message_time);
            }
            let more = self.inbox.receive(&self.wire.socket);
            let count = match complete_by {
                Some(deadline) => timeout_at(deadline, more).await??,
                None => more.await?,
            };
            if count == 0 {
                return Ok(None);
            }
            if !self.wire.passes_fds && self.inbox.descriptors() > 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "file descriptors were not negotiated"));
            }
        }
    }

    fn take_descriptors(&mut self, header: &Header) -> io::Result<Vec<OwnedFd>> {
        if self.inbox.descriptors() == 0 {
            return Ok(Vec::new());
        }
        let message = self.inbox.bytes().get(..header.len).unwrap_or_default();
        let count = header.descriptors(message)?;
        if count > MOST_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more file descriptors than any method takes"));
        }
        let fds = self.inbox.take_descriptors(count);
        if self.inbox.bytes().len() == header.len && self.inbox.descriptors() > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "file descriptors that belong to no message"));
        }
        Ok(fds)
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.left == 0 && !self.next_call().await? {
            return Ok((0, Vec::new()));
        }
        let count = self.inbox.hand_out(buffer, self.left);
        self.left -= count;
        Ok((count, std::mem::take(&mut self.fds)))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

// Neither half shows what passes through it: requests name tokens.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Writes replies, and lets the next calls in as they are written.
struct Writer {
    wire: Arc<Wire>,
}

impl Writer {
    /// Writes a reply, or in its place why it cannot be had.
    async fn reply(&self, message: &Message) -> io::Result<()> {
        let carries_fds = !message.data().fds().is_empty();
        if carries_fds && !self.wire.passes_fds {
            return self.refuse(message, Cause::NoDescriptors).await;
        }
        if carries_fds && !self.wire.account.let_out() {
            return self.refuse(message, Cause::TooManyDescriptors).await;
        }
        match self.write(message).await {
            // Too many descriptors of the daemon are on their way to readers who do not read. Nothing was written.
            Err(error) if carries_fds && error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                self.refuse(message, Cause::TooManyDescriptors).await
            }
            result => result,
        }
    }

    async fn refuse(&self, message: &Message, cause: Cause) -> io::Result<()> {
        match refusal::in_place_of(message, cause)? {
            Some(refusal) => self.write(&refusal).await,
            None => Ok(()),
        }
    }

    async fn write(&self, message: &Message) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = message.data().fds().iter().map(AsFd::as_fd).collect();
        outbox::send_all(&self.wire.socket, message.data().bytes(), &fds, self.wire.stall_time).await
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        if !matches!(message.message_type(), Type::MethodReturn | Type::Error) {
            return Ok(self.write(message).await.inspect_err(|_| self.wire.hang_up())?);
        }
        let landing = self.wire.flight.look_up(|| message.header().reply_serial().map(NonZeroU32::get));
        let result = if landing.swallow { Ok(()) } else { self.reply(message).await };
        // A reply that was cut off leaves nothing to go on with.
        let result = result.inspect_err(|_| self.wire.hang_up());
        self.wire.flight.land(landing);
        Ok(result?)
    }

    async fn close(&mut self) -> io::Result<()> {
        self.wire.hang_up();
        Ok(())
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}
