//! The system calls that need `unsafe`: memory that stays out of swap, descriptors named by their number, the width of a
//! terminal.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
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

/// Characters that stand side by side on a terminal; `None` when it is none or does not know.
pub fn columns(terminal: impl AsFd) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open, and this request writes one `winsize`, which lives until the call is over.
    let answer = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Whether something keeps the clock of this machine right, as far as the kernel knows.
pub fn clock_is_synchronised() -> bool {
    // SAFETY: all fields of a `timex` are numbers, for which zero is a value.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: with no mode set the call only fills the structure, which lives until it is over.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    state >= 0 && state != libc::TIME_ERROR && clock.status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_knows_its_width_and_nothing_else_has_one() {
        let size = nix::pty::Winsize { ws_row: 24, ws_col: 61, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = nix::pty::openpty(Some(&size), None).unwrap();
        assert_eq!(columns(&pty.slave), Some(61));
        assert_eq!(columns(nix::pty::openpty(None, None).unwrap().slave), None);
        assert_eq!(columns(File::open("/dev/null").unwrap()), None);
    }

    #[test]
    fn a_number_nobody_opened_is_an_error() {
        assert_eq!(duplicate(987_654).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(duplicate(-1).is_err());
    }
}
