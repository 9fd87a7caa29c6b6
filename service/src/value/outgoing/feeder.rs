//! The rest of a value that did not fit into its pipe: written as the reader makes room.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::unistd::write;
use tokenvault_core::Secret;
use tokio::io::Interest;

use super::Reservation;
use crate::sys::ready;

/// Writes `rest`; gives up, and empties the pipe, when the reader makes no progress for `patience`.
pub(super) async fn feed(entrance: OwnedFd, rest: Secret, pipe: OwnedFd, patience: Duration, reserved: Reservation) {
    let written = write_all(entrance, &rest, patience).await;
    let left = rest.len();
    drop(rest);
    // The write end is closed by now: whatever is left, the reader finds an end.
    match written {
        Ok(()) => reserved.hold(pipe, left),
        Err(_) => reserved.shared.withdraw(&pipe),
    }
}

async fn write_all(entrance: OwnedFd, rest: &Secret, patience: Duration) -> io::Result<()> {
    let entrance = ready::watch(entrance, Interest::WRITABLE)?;
    let mut written = 0;
    while let Some(left) = rest.expose().get(written..).filter(|left| !left.is_empty()) {
        let step = entrance.async_io(Interest::WRITABLE, |fd| write(fd, left).map_err(io::Error::from));
        written += tokio::time::timeout(patience, step).await??;
    }
    Ok(())
}
