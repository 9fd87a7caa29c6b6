//! What only the C library and the kernel can do: the one place of this crate with unsafe code.
#![allow(unsafe_code)]

mod birth;
mod encode;
#[cfg(test)]
mod interrupt;
mod message;
mod pipe;
mod socket;

pub(crate) use birth::Birth;
pub(crate) use encode::encode;
#[cfg(test)]
pub(crate) use interrupt::Interruptible;
pub(crate) use message::{endian, parse};
pub(crate) use pipe::read_now;
pub(crate) use socket::{MOST_DESCRIPTORS, receive, send};

/// Whether this program runs with more rights than the user who started it (setuid, setgid, file capabilities), so that
/// the environment is somebody else's to choose.
pub(crate) fn is_privileged_start() -> bool {
    // SAFETY: getauxval takes a number, reads memory that the kernel filled before the program started, and returns 0
    // for an entry that is not there.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
