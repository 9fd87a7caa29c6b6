//! Reading from a pipe whose flags are not ours to change (`preadv2(2)`).

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;

/// Whether the kernel was seen not to do it, so that it is not asked each time in vain.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Reads what is there without waiting, whatever the flags of the pipe, and without changing them: others hold it too.
///
/// # Errors
/// `EAGAIN` when nothing is there yet, `EOPNOTSUPP` where the kernel cannot do this with pipes (before Linux 6.4).
pub(crate) fn read_now(pipe: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    if IS_REFUSED.load(Ordering::Relaxed) {
        return Err(Errno::EOPNOTSUPP);
    }
    let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let fd = pipe.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call, and the one part is memory of the length it says, which
    // nobody else touches meanwhile.
    let count = unsafe { libc::preadv2(fd, &raw const part, 1, -1, libc::RWF_NOWAIT) };
    let result = Errno::result(count).map(isize::unsigned_abs);
    if result == Err(Errno::EOPNOTSUPP) {
        IS_REFUSED.store(true, Ordering::Relaxed);
    }
    result
}
