//! Waiting for something that must happen, never for time to pass.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long anything in a test may take before the test says that it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks at a state that nobody announces.
const GLANCE: Duration = Duration::from_millis(5);

/// Waits until one of the descriptors is readable or has hung up; its index, or `None` after the deadline.
pub fn for_any(fds: &[BorrowedFd<'_>], deadline: Instant) -> Option<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polls: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut polls, timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => panic!("poll: {error}"),
            Ok(0) => return None,
            Ok(_) => {
                return polls.iter().position(|poll| poll.revents().is_some_and(|events| !events.is_empty()));
            }
        }
    }
}

/// Looks again until `look` finds something; panics with `what` after [`PATIENCE`]. For states that have no event.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// The same for what takes longer.
pub fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting after {patience:?} for: {what}");
        std::thread::park_timeout(GLANCE);
    }
}
