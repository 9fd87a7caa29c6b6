//! The rest of a value that did not fit into its pipe: written as the reader makes room.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::unistd::write;
use tokenvault_core::Secret;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::chunks::Rest;
use super::{Next, Reservation};
use crate::sys::{pipe, ready};

/// How often a reader is looked at in the time it has.
const LOOKS: u32 = 10;

/// How many times longer than without progress a reader may take for all of it, however well it progresses: what is in memory for
/// it, and the key of what is not, are held meanwhile.
const PATIENCE: u32 = 60;

/// Writes `rest`; gives up, and empties the pipe, when the reader makes no progress for `patience`, or too little. Where there is
/// no more to be had before the end, the reader finds one.
pub(super) async fn feed(entrance: OwnedFd, rest: Rest, pipe: OwnedFd, patience: Duration, reserved: Reservation) {
    let written =
        timeout(patience.saturating_mul(PATIENCE), write_rest(entrance, rest, (&pipe, patience), &reserved)).await;
    let written = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    // The write end is closed by now: whatever is left, the reader finds an end.
    match written.and_then(|()| pipe::waiting(&pipe)) {
        Ok(left) => reserved.hold(pipe, left),
        Err(_) => reserved.withdraw(pipe),
    }
}

async fn write_rest(
    entrance: OwnedFd,
    rest: Rest,
    (pipe, patience): (&OwnedFd, Duration),
    reserved: &Reservation,
) -> io::Result<()> {
    let entrance = ready::watch(entrance, Interest::WRITABLE)?;
    let Rest { now, then } = rest;
    write_all(&entrance, now, pipe, patience).await?;
    let Some(mut chunks) = then else { return Ok(()) };
    loop {
        // Each is read and decrypted: that blocks, and a reader has hundreds of them.
        let turn = reserved.turn().await?;
        let asked = tokio::task::spawn_blocking(move || {
            let next = chunks.next();
            drop(turn);
            (chunks, next)
        });
        let (back, next) = asked.await.map_err(io::Error::other)?;
        match next {
            Some(Next::Part(part)) => write_all(&entrance, part, pipe, patience).await?,
            Some(Next::End) => return Ok(()),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        chunks = back;
    }
}

async fn write_all(entrance: &AsyncFd<OwnedFd>, rest: Secret, pipe: &OwnedFd, patience: Duration) -> io::Result<()> {
    let mut written = 0;
    while let Some(left) = rest.expose().get(written..).filter(|left| !left.is_empty()) {
        // There is room only when a whole page was read, and a slow reader may go on for long within one.
        let (mut unread, mut since) = (pipe::waiting(pipe)?, Instant::now());
        written += loop {
            let step = entrance.async_io(Interest::WRITABLE, |fd| write(fd, left).map_err(io::Error::from));
            if let Ok(step) = timeout(patience / LOOKS, step).await {
                break step?;
            }
            let now = pipe::waiting(pipe)?;
            if now < unread {
                (unread, since) = (now, Instant::now());
            } else if since.elapsed() >= patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
        };
    }
    Ok(())
}
