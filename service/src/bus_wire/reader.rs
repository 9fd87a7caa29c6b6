//! The half of a bus connection that is read from: the greeting's lines, then whole, measured messages.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::BusWire;
use super::skip::Skip;
use crate::door::header::{Header, MOST_BYTES};
use crate::door::inbox::Inbox;
use crate::door::refusal::{self, Cause};

/// Longest message of D-Bus (specification, "Message Protocol"). What claims more is none, and the bus has lost its way.
const MOST_BYTES_OF_DBUS: usize = 128 * 1024 * 1024;

/// Most descriptors of a message that zbus is shown.
const MOST_DESCRIPTORS: usize = 16;

/// Longest line of the greeting.
const LONGEST_LINE: usize = 4096;

/// Descriptors that came together, and how much had been received then.
///
/// The bus sends a message that carries some by itself, the kernel gives them out with its first byte and ends the read
/// there. So they are those of the message to which the last byte of the read belongs, whatever its header says.
struct Parcel {
    received: u64,
    fds: Vec<OwnedFd>,
}

/// Hands lines and measured messages to zbus.
pub(super) struct Reader {
    wire: Arc<BusWire>,
    pub(super) inbox: Inbox,
    parcels: VecDeque<Parcel>,
    received: u64,
    greeting: bool,
    /// Bytes of the present line or message that zbus has not asked for yet.
    left: usize,
    fds: Vec<OwnedFd>,
}

impl Reader {
    pub(super) fn new(wire: Arc<BusWire>) -> Self {
        // The bus has its own limit of descriptors; what it passes on is no reason to leave it.
        let inbox = Inbox::for_descriptors(usize::MAX);
        Self { wire, inbox, parcels: VecDeque::new(), received: 0, greeting: true, left: 0, fds: Vec::new() }
    }

    /// Waits until `count` bytes are here.
    pub(super) async fn wait_for(&mut self, count: usize) -> io::Result<()> {
        while self.inbox.bytes().len() < count {
            let more = self.inbox.receive_any(&self.wire.socket).await?.bytes;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received += more as u64;
            let fds = self.inbox.take_descriptors(usize::MAX);
            if !fds.is_empty() {
                self.parcels.push_back(Parcel { received: self.received, fds });
            }
        }
        Ok(())
    }

    /// Takes descriptors of what is received up to `waiting` bytes from the end of it.
    pub(super) fn take_descriptors(&mut self, waiting: usize) -> Vec<OwnedFd> {
        let end = self.received.saturating_sub(waiting as u64);
        let mut fds = Vec::new();
        while self.parcels.front().is_some_and(|parcel| parcel.received <= end) {
            fds.extend(self.parcels.pop_front().map(|parcel| parcel.fds).into_iter().flatten());
        }
        fds
    }

    /// Waits for what zbus may have next.
    async fn next(&mut self) -> io::Result<()> {
        self.wait_for(1).await?;
        // No line of the greeting begins as a message does.
        self.greeting = self.greeting && !matches!(self.inbox.bytes().first(), Some(b'l' | b'B'));
        self.left = if self.greeting { self.next_line().await? } else { self.next_message().await? };
        Ok(())
    }

    async fn next_line(&mut self) -> io::Result<usize> {
        loop {
            let bytes = self.inbox.bytes();
            if let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
                return Ok(end + 2);
            }
            if bytes.len() > LONGEST_LINE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line without end in the greeting of the bus",
                ));
            }
            let more = bytes.len() + 1;
            self.wait_for(more).await?;
        }
    }

    async fn next_message(&mut self) -> io::Result<usize> {
        loop {
            let header = self.next_header().await?;
            if header.len > MOST_BYTES {
                self.refuse(&header).await?;
                continue;
            }
            self.wait_for(header.len).await?;
            self.fds = self.take_descriptors(self.inbox.bytes().len() - header.len);
            // No method takes as many; zbus answers a call that counts on them.
            self.fds.truncate(MOST_DESCRIPTORS);
            if !header.is_call || self.wire.takes_call(!header.no_reply) {
                return Ok(header.len);
            }
            // The bus tells its caller when the connection ends, which is soon.
            self.fds.clear();
            self.inbox.consume(header.len);
        }
    }

    async fn next_header(&mut self) -> io::Result<Header> {
        loop {
            match Header::measure(self.inbox.bytes())? {
                Some(header) if header.len > MOST_BYTES_OF_DBUS => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a message larger than those of D-Bus"));
                }
                Some(header) => return Ok(header),
                None => self.wait_for(self.inbox.bytes().len() + 1).await?,
            }
        }
    }

    /// Skips a message that is too large; a call is told so.
    async fn refuse(&mut self, header: &Header) -> io::Result<()> {
        let sender = Skip::new(self, header).run().await?;
        match NonZeroU32::new(header.serial) {
            Some(call) if header.is_call && !header.no_reply && sender.is_some() => {
                self.wire.write(&refusal::instead(call, sender.as_deref(), Cause::TooLarge)?).await
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        if self.left == 0 {
            self.next().await?;
        }
        let count = self.inbox.hand_out(buffer, self.left);
        self.left -= count;
        Ok((count, std::mem::take(&mut self.fds)))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
