//! The half of a bus connection that is written to.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zbus::Message;
use zbus::connection::socket::WriteHalf;
use zbus::export::async_trait::async_trait;
use zbus::message::Type;

use super::BusWire;
use crate::fast_path::Reply;
use crate::message::refusal::{self, Cause};
use crate::sys::socket;

/// How long the bus may take nothing. It stops reading the vault while too much that the vault has sent lies unread with
/// its clients (`max_incoming_bytes`, `max_incoming_unix_fds`), for as long as they please; a new connection is a new count.
pub(super) const STALL: Duration = Duration::from_secs(5);

/// Writes whole messages.
pub(super) struct Writer {
    wire: Arc<BusWire>,
}

impl Writer {
    pub(super) const fn new(wire: Arc<BusWire>) -> Self {
        Self { wire }
    }
}

impl BusWire {
    /// Writes a message, or in place of a reply whose descriptors cannot be had, that.
    pub(super) async fn write(&self, message: &Message) -> io::Result<()> {
        self.write_or(message.data().bytes(), &fds_of(message), || {
            refusal::in_place_of(message, Cause::TooManyDescriptors)
        })
        .await
    }

    /// The same with a reply of the fast path.
    pub(super) async fn write_reply(&self, reply: &Reply) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = reply.value.iter().map(AsFd::as_fd).collect();
        self.write_or(&reply.bytes, &fds, || reply.refusal(Cause::TooManyDescriptors).map(Some)).await
    }

    async fn write_or(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        instead: impl FnOnce() -> io::Result<Option<Message>>,
    ) -> io::Result<()> {
        let _whole = self.writing.lock().await;
        let written = match self.write_whole(bytes, fds).await {
            // Too many descriptors of the daemon are on their way to readers who do not read. Nothing was written.
            Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => match instead()? {
                Some(refusal) => self.write_whole(refusal.data().bytes(), &fds_of(&refusal)).await,
                None => Ok(()),
            },
            written => written,
        };
        // A message that was cut off leaves nothing to go on with.
        written.inspect_err(|_| self.hang_up())
    }

    async fn write_whole(&self, mut rest: &[u8], mut fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        while !rest.is_empty() {
            let count = self.send(rest, fds).await?;
            fds = &[];
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    async fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        match socket::send(&self.socket, bytes, fds) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        timeout(STALL, self.send_when_it_can(bytes, fds)).await.unwrap_or_else(|_| {
            // There are as many stalls as connections: the next write finds this one ended.
            log::warn!(
                "the bus has taken nothing from the vault for {} s, since somebody does not read what they asked for; \
                 leaving it and coming back",
                STALL.as_secs()
            );
            Err(io::ErrorKind::TimedOut.into())
        })
    }

    async fn send_when_it_can(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        loop {
            let mut guard = self.socket.writable().await?;
            match socket::send(&self.socket, bytes, fds) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                result => return result,
            }
        }
    }
}

fn fds_of(message: &Message) -> Vec<BorrowedFd<'_>> {
    message.data().fds().iter().map(AsFd::as_fd).collect()
}

#[async_trait]
impl WriteHalf for Writer {
    async fn send_message(&mut self, message: &Message) -> zbus::Result<()> {
        if !matches!(message.message_type(), Type::MethodReturn | Type::Error) {
            return Ok(self.wire.write(message).await?);
        }
        let landing = self.wire.calls.look_up(message);
        let written = if landing.swallow { Ok(()) } else { self.wire.write(message).await };
        self.wire.calls.land(landing);
        Ok(written?)
    }

    /// The greeting, which zbus writes in bytes.
    async fn sendmsg(&mut self, buffer: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.wire.send(buffer, fds).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.wire.hang_up();
        Ok(())
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

// Neither half shows what passes through it: requests name tokens.
impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
