//! What came over a socket and was not taken yet: bytes, and the descriptors that came with them.
//!
//! Grows with what was received, never with what a sender says is coming.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use tokenvault_proto::memory::{self, NoMemory};
use zbus::Message;
use zbus::message::Header;
use zbus::wire::serialized::{Context, Data};

use crate::sys::{self, MOST_DESCRIPTORS};

/// Room of an idle connection: nearly every reply fits.
const USUAL_ROOM: usize = 4096;
/// Longest message taken. The longest page of tokens stays below.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Most descriptors that can wait here from an honest sender: those of an unfinished message and of the one behind it.
const MOST_WAITING: usize = 2 * MOST_DESCRIPTORS;
/// Bytes that say how long a message is.
const PREFIX: usize = 16;
/// The kind of message that a signal is, the last of those that there are.
const SIGNAL: u8 = 4;

/// The receiving side of one connection.
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    fds: VecDeque<OwnedFd>,
    takes_signals: bool,
}

impl Inbox {
    /// Nothing received yet.
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; USUAL_ROOM], start: 0, end: 0, fds: VecDeque::new(), takes_signals: false }
    }

    /// From now on signals are given out too.
    pub(crate) fn take_signals(&mut self) {
        self.takes_signals = true;
    }

    /// What waits.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start.saturating_add(count));
        if self.start < self.end {
            return;
        }
        (self.start, self.end) = (0, 0);
        // Without memory for a short one, the long one stays.
        if self.buffer.len() > USUAL_ROOM
            && let Ok(buffer) = usual_buffer()
        {
            self.buffer = buffer;
        }
    }

    /// How much memory it holds.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    /// Receives once without waiting; how many bytes came, 0 at the end of the stream.
    ///
    /// # Errors
    /// The kernel's, and `ENOMEM` when there is no memory for more of a message.
    pub(crate) fn receive(&mut self, from: impl AsFd) -> Result<usize, Errno> {
        self.make_room()?;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = sys::receive(from, room, &mut self.fds)?;
        self.end += count;
        if self.fds.len() > MOST_WAITING { Err(Errno::EMFILE) } else { Ok(count) }
    }

    fn make_room(&mut self) -> Result<(), Errno> {
        if self.end < self.buffer.len() {
            return Ok(());
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else {
            let len = self.buffer.len();
            memory::exactly(&mut self.buffer, len).map_err(|NoMemory| Errno::ENOMEM)?;
            self.buffer.resize(len * 2, 0);
        }
        Ok(())
    }

    /// The next message that is here as a whole.
    ///
    /// # Errors
    /// What is here is none; nothing can be said of what follows.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, zbus::Error> {
        loop {
            let waiting = self.bytes().len();
            let Some(len) = measure(self.bytes())?.filter(|len| *len <= waiting) else { return Ok(None) };
            // They come with the first byte of their message. So all that are here are this message's if it is the last; else it
            // is told by the message whose are whose.
            let is_plain = self.fds.is_empty() || waiting == len;
            let kind = self.bytes().get(1).copied().unwrap_or_default();
            if !self.concerns_us(kind) && is_plain {
                self.fds.clear();
                self.consume(len);
                continue;
            }
            let fds = if is_plain { Vec::from(std::mem::take(&mut self.fds)) } else { self.first_descriptors(len)? };
            let count = fds.len();
            let message = self.take(len).map_err(NoMemory::of::<zbus::Error>)?;
            memory::room().map_err(NoMemory::of::<zbus::Error>)?;
            match sys::parse(message, fds) {
                Ok(message) if count > 0 && count != claimed(message.header().unix_fds()) => {
                    return Err(zbus::Error::Failure("file descriptors that belong to no message".to_owned()));
                }
                Ok(message) => return Ok(Some(message)),
                // Not every bus looks as closely as it is looked here.
                Err(_) if kind == SIGNAL => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a message of a kind is a call or a reply, or a signal where these are awaited. Others are not taken apart: on a bus
    /// anybody can send any.
    fn concerns_us(&self, kind: u8) -> bool {
        let last = if self.takes_signals { SIGNAL } else { SIGNAL - 1 };
        (1..=last).contains(&kind)
    }

    /// As many as the first message, which is `len` bytes long, says are its own.
    fn first_descriptors(&mut self, len: usize) -> Result<Vec<OwnedFd>, zbus::Error> {
        let message = self.bytes().get(..len).unwrap_or_default();
        let data = Data::new(message, Context::new(sys::endian(message), 0));
        let count = claimed(data.deserialize::<Header<'_>>()?.0.unix_fds());
        Ok(self.fds.drain(..count.min(self.fds.len())).collect())
    }

    /// The first `len` bytes, which are taken out.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, NoMemory> {
        // What is long is not copied when it stands alone, as a long reply does.
        if len > USUAL_ROOM && (self.start, self.end) == (0, len) {
            let mut bytes = std::mem::replace(&mut self.buffer, usual_buffer()?);
            self.end = 0;
            bytes.truncate(len);
            return Ok(bytes);
        }
        let bytes = memory::bytes(self.bytes().get(..len).unwrap_or_default())?;
        self.consume(len);
        Ok(bytes)
    }
}

fn usual_buffer() -> Result<Vec<u8>, NoMemory> {
    let mut buffer = Vec::new();
    memory::exactly(&mut buffer, USUAL_ROOM)?;
    buffer.resize(USUAL_ROOM, 0);
    Ok(buffer)
}

fn claimed(fds: Option<u32>) -> usize {
    usize::try_from(fds.unwrap_or(0)).unwrap_or(usize::MAX)
}

/// How long the message at the beginning of `bytes` is; `None` while that is not known.
fn measure(bytes: &[u8]) -> Result<Option<usize>, zbus::Error> {
    let Some(prefix) = bytes.first_chunk::<PREFIX>() else { return Ok(None) };
    let [order, _, _, _, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = *prefix;
    let number = match order {
        b'l' => u32::from_le_bytes,
        b'B' => u32::from_be_bytes,
        _ => return Err(zbus::Error::IncorrectEndian),
    };
    let (body, fields) = (u64::from(number([b0, b1, b2, b3])), u64::from(number([f0, f1, f2, f3])));
    let len = usize::try_from(fields.next_multiple_of(8) + body).unwrap_or(usize::MAX).saturating_add(PREFIX);
    if len > MOST_BYTES { Err(zbus::Error::ExcessData) } else { Ok(Some(len)) }
}
