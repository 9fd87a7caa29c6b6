//! Waiting until a descriptor can be read from or written to.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the current runtime.
///
/// # Errors
/// The descriptor is of a kind that is always ready (`EPERM`), or the kernel has no room.
pub fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    watch_or_return(fd, interest).map_err(|(_, error)| error)
}

/// The same for a descriptor that may not be closed because of that.
///
/// # Errors
/// As above, with the descriptor.
pub fn watch_or_return(fd: OwnedFd, interest: Interest) -> Result<AsyncFd<OwnedFd>, (OwnedFd, io::Error)> {
    // SAFETY: an `OwnedFd` is open and the same until it is dropped, and nothing can replace it inside the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(fd, interest) }.map_err(|refused| refused.into_parts())
}

/// Registers a socket that listens.
///
/// # Errors
/// The kernel has no room.
pub fn watch_listener(listener: UnixListener) -> io::Result<AsyncFd<UnixListener>> {
    listener.set_nonblocking(true)?;
    // SAFETY: a `UnixListener` owns one descriptor, for which the same holds as above.
    unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }.map_err(io::Error::from)
}
