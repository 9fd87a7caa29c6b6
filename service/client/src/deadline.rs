//! Waiting for descriptors until a point in time.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

/// What is left until then; nothing once it is over.
pub(crate) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Waits until one of `fds` is ready.
///
/// # Errors
/// `ETIMEDOUT` when the time passes first.
pub(crate) fn wait(fds: &mut [PollFd<'_>], until: Instant) -> Result<(), Errno> {
    loop {
        let left = left(until);
        // Rounded up, so that the last millisecond is waited for and not spun through. What is too long for one wait is
        // waited for in several.
        let time = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
        match poll(fds, time) {
            // Also when something is ready: a peer that never pauses must not put the end off.
            Ok(_) if left.is_zero() => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::poll::PollFlags;

    use super::*;

    #[test]
    fn what_is_ready_when_the_time_is_over_comes_too_late() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&writer, b"x").unwrap();
        let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        assert_eq!(wait(&mut fds, Instant::now()), Err(Errno::ETIMEDOUT));
        assert_eq!(wait(&mut fds, Instant::now() + Duration::from_secs(10)), Ok(()));
    }
}
