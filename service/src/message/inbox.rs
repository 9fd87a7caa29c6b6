//! What came over a socket and was not taken yet: bytes, and the descriptors that came with them.
//!
//! Grows with what was received, never with what a sender says is coming.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;
use tokio::task::coop::consume_budget;

use crate::sys::socket::{self, ControlRoom, Received};

/// Room of an idle connection.
const USUAL_ROOM: usize = 4096;

/// Most descriptors one message may carry: no method takes more.
pub(crate) const MOST_DESCRIPTORS: usize = 2;

/// Most that can wait here from an honest sender: those of an unfinished message and of the one behind it.
const MOST_WAITING: usize = 2 * MOST_DESCRIPTORS;

/// The receiving side of one connection.
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    fds: VecDeque<OwnedFd>,
    most_fds: usize,
    control: ControlRoom,
}

impl Inbox {
    /// Nothing received yet.
    pub(crate) fn new() -> Self {
        Self::for_descriptors(MOST_WAITING)
    }

    /// The same, from a sender that may have more descriptors wait here.
    pub(crate) fn for_descriptors(most_fds: usize) -> Self {
        // No room for more: what a sender has too much of, the kernel does not even give out.
        let (buffer, control) = (vec![0; USUAL_ROOM], ControlRoom::new(most_fds));
        Self { buffer, start: 0, end: 0, fds: VecDeque::new(), most_fds, control }
    }

    /// What waits.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// What waits, to be changed in place.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start < self.end {
            return;
        }
        (self.start, self.end) = (0, 0);
        if self.buffer.len() > USUAL_ROOM {
            self.buffer = vec![0; USUAL_ROOM];
        }
    }

    /// Hands out as much of the first `count` bytes as `to` has room for; how much.
    pub(crate) fn hand_out(&mut self, to: &mut [u8], count: usize) -> usize {
        let count = count.min(to.len()).min(self.bytes().len());
        for (to, from) in to.iter_mut().zip(self.bytes().iter().take(count)) {
            *to = *from;
        }
        self.consume(count);
        count
    }

    /// How many descriptors wait.
    pub(crate) fn descriptors(&self) -> usize {
        self.fds.len()
    }

    /// The first `count` descriptors, or all if there are fewer.
    pub(crate) fn take_descriptors(&mut self, count: usize) -> Vec<OwnedFd> {
        self.fds.drain(..count.min(self.fds.len())).collect()
    }

    /// Waits for more; how many bytes came, 0 at the end.
    pub(crate) async fn receive(&mut self, from: &AsyncFd<OwnedFd>) -> io::Result<usize> {
        let received = self.receive_any(from).await?;
        if self.fds.len() > self.most_fds || received.truncated && self.fds.len() == self.most_fds {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too many file descriptors"));
        }
        if received.truncated {
            return Err(io::Error::other("the daemon can have no more file descriptors"));
        }
        Ok(received.bytes)
    }

    /// The same from a sender who stands for many: that descriptors are missing is told, and nothing is too much.
    pub(crate) async fn receive_any(&mut self, from: &AsyncFd<OwnedFd>) -> io::Result<Received> {
        // A socket with something in it is no reason to wait: a sender who keeps it full would never let go of the thread.
        consume_budget().await;
        self.make_room();
        loop {
            let mut guard = from.readable().await?;
            let waiting = self.fds.len();
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            let size = room.len();
            match socket::receive(from, room, &mut self.control, &mut self.fds) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => return Err(error),
                Ok(received) => {
                    let Received { bytes, truncated } = received;
                    // Less than there was room for: the socket is empty, and asking it again can be saved. Unless
                    // descriptors came, which end a read early, also where none could be had.
                    if bytes > 0 && bytes < size && self.fds.len() == waiting && !truncated {
                        guard.clear_ready();
                    }
                    self.end += bytes;
                    return Ok(received);
                }
            }
        }
    }

    fn make_room(&mut self) {
        if self.end < self.buffer.len() {
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use tokio::io::Interest;

    use super::*;
    use crate::sys::ready;

    #[tokio::test]
    async fn who_keeps_the_socket_full_does_not_keep_the_thread() {
        let (sender, receiver) = UnixStream::pair().unwrap();
        // Descriptors end a read, so that this takes as many reads.
        for _ in 0..200 {
            socket::send(&sender, b"x", &[sender.as_fd()]).unwrap();
        }
        let receiver = ready::watch(receiver.into(), Interest::READABLE).unwrap();
        let mut inbox = Inbox::for_descriptors(usize::MAX);
        // The runtime has seen the socket once: from here on nothing has to be waited for.
        inbox.receive(&receiver).await.unwrap();
        let receive_all = async {
            while inbox.bytes().len() < 200 {
                inbox.receive(&receiver).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = receive_all => panic!("nothing else had a turn"),
            () = std::future::ready(()) => {}
        }
    }
}
