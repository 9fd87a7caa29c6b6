//! The system calls that need `unsafe`: memory that stays out of swap, and the descriptor that the module named by number.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

/// Where the module puts the daemon's end of the lease.
const LEASE: RawFd = 3;

/// Keeps `bytes` out of swap. Best effort: there may be no budget for it.
pub fn lock(bytes: &mut [u8]) {
    let len = bytes.len();
    if let Some(start) = NonNull::new(bytes.as_mut_ptr().cast()) {
        // SAFETY: the range is one live allocation; locking pages changes neither contents nor ownership.
        let _ = unsafe { nix::sys::mman::mlock(start, len) };
    }
}

/// Takes the lease over from the module; once.
///
/// # Errors
/// When it is not there.
pub fn take_lease() -> io::Result<OwnedFd> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    // SAFETY: asks about a number, and has it closed on exec.
    let flags = unsafe { libc::fcntl(LEASE, libc::F_SETFD, libc::FD_CLOEXEC) };
    if flags < 0 || IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open since before this program began, which has opened nothing that stays, and this is the only taker.
    Ok(unsafe { OwnedFd::from_raw_fd(LEASE) })
}
