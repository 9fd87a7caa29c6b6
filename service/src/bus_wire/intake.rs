//! What came from the bus and was not taken yet: the greeting's lines, then messages, each whole and with its descriptors.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zbus::Message;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

use super::BusWire;
use crate::message::header::{self, Header};
use crate::message::inbox::Inbox;

/// Longest message of D-Bus (specification, "Message Protocol"). What claims more is none, and the bus has lost its way.
const MOST_BYTES_OF_DBUS: usize = 128 * 1024 * 1024;

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

/// The receiving end of the wire.
pub(super) struct Intake {
    wire: Arc<BusWire>,
    pub(super) inbox: Inbox,
    parcels: VecDeque<Parcel>,
    received: u64,
    /// How much of the present message zbus has seen, and how long that is: it stays here until it was judged.
    seen: usize,
    len: usize,
    fds: Vec<OwnedFd>,
}

impl Intake {
    pub(super) fn new(wire: Arc<BusWire>) -> Self {
        // The bus has its own limit of descriptors; what it passes on is no reason to leave it.
        let inbox = Inbox::for_descriptors(usize::MAX);
        Self { wire, inbox, parcels: VecDeque::new(), received: 0, seen: 0, len: 0, fds: Vec::new() }
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

    /// Waits for the next line of the greeting; its length.
    pub(super) async fn next_line(&mut self) -> io::Result<usize> {
        loop {
            let bytes = self.inbox.bytes();
            if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                // zbus looks for the byte before it, whether or not there is one.
                if bytes.get(..end).is_some_and(|line| line.ends_with(b"\r")) {
                    return Ok(end + 1);
                }
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of the bus that does not end as one"));
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

    /// Waits for the beginning of the next message.
    pub(super) async fn next_header(&mut self) -> io::Result<Header> {
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

    /// Waits for the rest of a message; how many descriptors came with it.
    pub(super) async fn complete(&mut self, header: &Header) -> io::Result<usize> {
        self.wait_for(header.len).await?;
        self.fds = self.take_descriptors(self.inbox.bytes().len() - header.len);
        Ok(self.fds.len())
    }

    /// The message that is complete, if zbus can make one of it. It stays here until it is dropped.
    pub(super) async fn parse(&mut self, header: &Header, seq: u64) -> Option<Message> {
        if header.is_call {
            // Every call is answered, so that all that were taken can be counted.
            header::expect_reply(self.inbox.bytes_mut());
        }
        (self.seen, self.len) = (0, header.len);
        self.receive_message(seq, &mut Vec::new(), &mut Vec::new()).await.ok()
    }

    /// Forgets the message that is complete, and what came with it.
    pub(super) fn drop_message(&mut self, header: &Header) {
        self.drop_descriptors();
        self.inbox.consume(header.len);
    }

    /// Closes what came with the message that is complete.
    pub(super) fn drop_descriptors(&mut self) {
        self.fds.clear();
    }
}

/// For zbus's own reading of one message, all of which is here.
#[async_trait]
impl ReadHalf for Intake {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let rest = self.inbox.bytes().get(self.seen..self.len).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        self.seen += count;
        Ok((count, std::mem::take(&mut self.fds)))
    }
}

// What passes through is not shown: requests name tokens.
impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}
