//! The system calls that need `unsafe`: memory that stays out of swap, descriptors named by their number.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::ptr::NonNull;

use nix::libc;

/// Keeps `bytes` out of swap. Best effort: a user's budget of locked memory may be used up or zero.
pub fn lock(bytes: &mut [u8]) {
    let len = bytes.len();
    if let Some(start) = NonNull::new(bytes.as_mut_ptr().cast()) {
        // SAFETY: the range is one live allocation; locking pages changes neither contents nor ownership.
        let _ = unsafe { nix::sys::mman::mlock(start, len) };
    }
}

/// Takes back [`lock`].
pub fn unlock(bytes: &mut [u8]) {
    let len = bytes.len();
    if let Some(start) = NonNull::new(bytes.as_mut_ptr().cast()) {
        // SAFETY: the range is one live allocation; unlocking pages that were never locked is allowed.
        let _ = unsafe { nix::sys::mman::munlock(start, len) };
    }
}

/// A descriptor of our own for the descriptor with this number, which the caller of the program opened.
///
/// # Errors
/// `EBADF` when there is none.
pub fn duplicate(number: RawFd) -> io::Result<File> {
    // SAFETY: this command of fcntl takes any number and answers EBADF for one that is not open.
    let fd = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has just made this descriptor, and nobody else knows it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(File::from(owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_nobody_opened_is_an_error() {
        assert_eq!(duplicate(987_654).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(duplicate(-1).is_err());
    }
}
