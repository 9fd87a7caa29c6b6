//! What goes down a connection of the service manager: the value, or more than it takes.
//!
//! The protocol has no word for a refusal. Whatever is read until the end is the credential, also when that is nothing: a unit
//! would start with an empty one. What fails the unit is an answer that is too long. systemd reads a credential with a limit of
//! 1 MiB, an encrypted one with 1 MiB and 128 KiB, and never more than 64 MiB of anything; beyond that the read fails, and the
//! unit with it (status 243/CREDENTIALS). It stops reading and closes then, by which we see that it has failed.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokenvault_core::Secret;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use crate::sys::socket;

/// No reader of systemd's takes as much.
const TOO_MUCH: usize = (64 << 20) + CHUNK.len();
/// What a refusal is made of.
const CHUNK: [u8; 16 << 10] = [0; 16 << 10];
/// How long a reader may read nothing. systemd does nothing else meanwhile.
const STALL: Duration = Duration::from_secs(30);

/// Sends a value. All of it lies in the kernel before this returns, if the reader takes the rest in time.
///
/// # Errors
/// The reader is gone, or reads nothing.
pub async fn give(stream: &AsyncFd<OwnedFd>, value: &Secret) -> io::Result<()> {
    let mut rest = value.expose();
    // As a rule one call does it: nearly every value is smaller than what a socket takes. So there is no time at which the end of
    // the daemon would leave a part of it for the whole. Of one in chunks the daemon's orderly end waits for the rest.
    while !rest.is_empty() {
        let sent = send(stream, rest, STALL).await?;
        rest = rest.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Fails the unit. Whether the reader has had enough: it has gone away before it came to an end.
///
/// # Errors
/// It reads nothing.
pub async fn refuse(stream: &AsyncFd<OwnedFd>) -> io::Result<bool> {
    overfill(stream, STALL).await
}

async fn overfill(stream: &AsyncFd<OwnedFd>, stall: Duration) -> io::Result<bool> {
    let mut sent = 0;
    while sent < TOO_MUCH {
        match send(stream, &CHUNK, stall).await {
            Ok(bytes) => sent += bytes,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
            Err(_) => return Ok(true),
        }
    }
    Ok(false)
}

/// The same for a connection that the runtime cannot wait for. Blocks.
///
/// # Errors
/// The reader reads nothing.
pub fn refuse_blocking(mut stream: UnixStream) -> io::Result<bool> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(STALL))?;
    let mut sent = 0;
    while sent < TOO_MUCH {
        match stream.write(&CHUNK) {
            Ok(bytes) => sent += bytes,
            // What a write that took too long is told.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => return Ok(true),
        }
    }
    Ok(false)
}

/// Sends what the socket takes as soon as it takes something.
async fn send(stream: &AsyncFd<OwnedFd>, bytes: &[u8], stall: Duration) -> io::Result<usize> {
    let sending = stream.async_io(Interest::WRITABLE, |stream| socket::send(stream, bytes, &[]));
    timeout(stall, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokenvault_core::port::HeapMemory;

    use crate::sys::ready;

    use super::*;

    /// Both ends; the reader's is read as systemd does, to its end or to more than `limit` bytes.
    fn ends() -> (AsyncFd<OwnedFd>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ready::watch(ours.into(), Interest::WRITABLE).unwrap(), theirs)
    }

    fn read_like_systemd(theirs: UnixStream, limit: u64) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        theirs.take(limit + 1).read_to_end(&mut read).unwrap();
        (read.len() as u64 <= limit).then_some(read)
    }

    #[tokio::test]
    async fn a_value_lies_in_the_kernel_whole_before_anybody_reads() {
        let (ours, theirs) = ends();
        let value = vec![7; 64 << 10];
        give(&ours, &Secret::copy_from(&HeapMemory, &value).unwrap()).await.unwrap();
        drop(ours);
        assert_eq!(read_like_systemd(theirs, 1 << 20), Some(value));
    }

    #[tokio::test]
    async fn a_refusal_is_longer_than_any_limit_of_systemd() {
        for limit in [1 << 20, (1 << 20) + (128 << 10), 64 << 20] {
            let (ours, theirs) = ends();
            let reader = tokio::task::spawn_blocking(move || read_like_systemd(theirs, limit));
            let enough = refuse(&ours).await.unwrap();
            drop(ours);
            assert_eq!(reader.await.unwrap(), None);
            assert!(enough || limit == 64 << 20, "{limit}");
        }
    }

    #[test]
    fn a_refusal_needs_no_runtime() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // As it comes from the socket.
        ours.set_nonblocking(true).unwrap();
        let reader = std::thread::spawn(move || read_like_systemd(theirs, 1 << 20));
        assert!(refuse_blocking(ours).unwrap());
        assert_eq!(reader.join().unwrap(), None);
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_is_left() {
        let (ours, _theirs) = ends();
        let left = overfill(&ours, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(left.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_has_had_enough() {
        let (ours, theirs) = ends();
        drop(theirs);
        assert!(refuse(&ours).await.unwrap());
    }
}
