//! Sending over a socket that may have no room: bytes, and the descriptors that go with the first of them.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::sys::socket;

/// Sends as much as there is room for, and waits where there is none; how much.
///
/// # Errors
/// The kernel's. With `TOOMANYREFS`, nothing was sent.
pub(crate) async fn send(to: &AsyncFd<OwnedFd>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    loop {
        match to.try_io(Interest::WRITABLE, |to| socket::send(to, bytes, fds)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(to.writable().await?),
            result => return result,
        }
    }
}

/// Sends everything; the peer may leave no room for as long as `patience`.
///
/// # Errors
/// `TimedOut`, or the kernel's. Something may have been sent, unless it is `TOOMANYREFS`.
pub(crate) async fn send_all(
    to: &AsyncFd<OwnedFd>,
    mut bytes: &[u8],
    mut fds: &[BorrowedFd<'_>],
    patience: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = match to.try_io(Interest::WRITABLE, |to| socket::send(to, bytes, fds)) {
            // A timer is set only here: most often there is room.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => timeout(patience, send(to, bytes, fds)).await?,
            result => result,
        }?;
        fds = &[];
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::ready;

    fn pair() -> (UnixStream, AsyncFd<OwnedFd>) {
        let (there, here) = UnixStream::pair().unwrap();
        (there, ready::watch(here.into(), Interest::WRITABLE).unwrap())
    }

    #[tokio::test]
    async fn more_than_there_is_room_for_arrives_whole() {
        let (mut there, here) = pair();
        let fds = [here.as_fd()];
        let bytes: Vec<u8> = (0..1024 * 1024).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut received = vec![0; bytes.len()];
        let reader = tokio::task::spawn_blocking(move || there.read_exact(&mut received).map(|()| received));
        send_all(&here, &bytes, &fds, Duration::from_secs(60)).await.unwrap();
        assert!(reader.await.unwrap().unwrap() == bytes);
    }

    #[tokio::test]
    async fn a_peer_who_leaves_no_room_is_waited_for_and_no_longer() {
        let (_there, here) = pair();
        let sent = send_all(&here, &vec![0; 1024 * 1024], &[], Duration::from_millis(50)).await;
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
