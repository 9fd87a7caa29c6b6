//! What both halves of a connection know of it, and how whole messages are written to it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use zbus::Message;
use zbus::connection::socket::{BoxedSplit, Split};

use super::Host;
use super::account::Account;
use super::flight::Flight;
use super::reader::Reader;
use super::writer::Writer;
use crate::fast_path::FastPath;
use crate::message::inbox::Inbox;
use crate::message::outbox;
use crate::message::refusal::Cause;

/// What both halves know of their connection.
pub(super) struct Wire {
    /// The socket.
    pub(super) socket: AsyncFd<OwnedFd>,
    /// Calls without a reply.
    pub(super) flight: Flight,
    /// What stands behind the door.
    pub(super) host: Arc<dyn Host>,
    /// What answers calls before zbus sees them.
    pub(super) fast_path: Option<Arc<dyn FastPath>>,
    /// Held while a message is written: replies are written by zbus and by the reader.
    pub(super) writing: Mutex<()>,
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

/// A connection zbus can use, from a socket that was greeted and what came behind the greeting.
pub(super) fn split(wire: &Arc<Wire>, inbox: Inbox) -> BoxedSplit {
    Split::new(Box::new(Reader::new(Arc::clone(wire), inbox)), Box::new(Writer::new(Arc::clone(wire))))
}

impl Wire {
    /// Ends the connection; whoever reads or writes finds out at once.
    pub(super) fn hang_up(&self) {
        // It may have ended already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
    }

    /// Writes a reply that carries descriptors, or `instead` why it cannot be had.
    pub(super) async fn write_value(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        instead: impl FnOnce(Cause) -> io::Result<Option<Message>>,
    ) -> io::Result<()> {
        let cause = if !self.passes_fds {
            Cause::NoDescriptors
        } else if !self.account.let_out() {
            Cause::TooManyDescriptors
        } else {
            match self.write(bytes, fds).await {
                // Too many descriptors of the daemon are on their way to readers who do not read. Nothing was written.
                Err(error) if is_refused(&error) => Cause::TooManyDescriptors,
                result => return result,
            }
        };
        match instead(cause)? {
            Some(refusal) => self.write(refusal.data().bytes(), &[]).await,
            None => Ok(()),
        }
    }

    /// Writes a whole message. With `TOOMANYREFS` nothing was written; after any other failure the connection has ended.
    pub(super) async fn write(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let _whole = self.writing.lock().await;
        let sent = outbox::send_all(&self.socket, bytes, fds, self.stall_time).await;
        // A message that was cut off is followed by nothing: whoever waits to write finds the end.
        sent.inspect_err(|error| {
            if !is_refused(error) {
                self.hang_up();
            }
        })
    }
}

/// Whether the kernel passes no more descriptors of the daemon for now.
fn is_refused(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ETOOMANYREFS)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use tokio::io::Interest;

    use super::super::account::Accounts;
    use super::super::{Peer, Welcome};
    use super::*;
    use crate::sys::ready;

    /// Nobody lives here.
    struct Empty;

    impl Host for Empty {
        fn welcome(&self, _peer: &Peer) -> Welcome {
            Welcome { fast_path: None, serve: Box::new(|builder| builder) }
        }
    }

    fn pair(stall_time: Duration) -> (UnixStream, Wire) {
        let (client, here) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let wire = Wire {
            socket: ready::watch(here.into(), Interest::READABLE | Interest::WRITABLE).unwrap(),
            flight: Flight::new(8),
            host: Arc::new(Empty),
            fast_path: None,
            writing: Mutex::new(()),
            account: Accounts::default().of(7, 64),
            uid: 7,
            passes_fds: true,
            message_time: Duration::from_secs(5),
            stall_time,
        };
        (client, wire)
    }

    #[tokio::test]
    async fn whoever_waits_behind_a_message_that_is_cut_off_finds_the_end() {
        let (mut client, wire) = pair(Duration::from_millis(50));
        let long = vec![b'x'; 4 << 20];
        let (cut_off, behind) = tokio::join!(wire.write(&long, &[]), wire.write(b"behind", &[]));
        assert_eq!(cut_off.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(behind.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == b'x'));
    }
}
