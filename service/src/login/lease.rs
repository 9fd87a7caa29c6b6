//! A lease: the read end of a pipe whose other end whoever keeps a user logged in holds. Nothing is read from it; it ends when
//! nobody holds the other end any more, however that came.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokenvault_core::Error;
use tokio::io::Interest;

use crate::sys::listen::Passed;
use crate::sys::{manager, pipe, ready};

/// What a lease is called while the service manager keeps it, before the uid.
const NAME: &str = "lease-";

/// What waits until a lease of a uid has ended. From here on the service manager keeps it too.
pub(super) fn ended(alive: OwnedFd, uid: u32) -> Result<impl Future<Output = ()> + Send, Error> {
    let unusable = |error: io::Error| Error::InvalidArgs(format!("a lease is the read end of a pipe: {error}"));
    if !pipe::is_pipe(&alive).map_err(unusable)? || !pipe::is_readable(&alive).map_err(unusable)? {
        return Err(Error::InvalidArgs("a lease is the read end of a pipe, and this is none".into()));
    }
    manager::keep(&alive, &format!("{NAME}{uid}"));
    let alive = ready::watch(alive, Interest::READABLE).map_err(unusable)?;
    Ok(async move {
        while !is_hung_up(alive.get_ref()) {
            match alive.readable().await {
                // What is written to it is nobody's.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    })
}

/// The leases that were kept over a restart.
pub(super) fn kept(passed: &mut Passed) -> Vec<(u32, OwnedFd)> {
    passed.take_all(NAME).into_iter().filter_map(|(uid, fd)| Some((uid.parse().ok()?, fd))).collect()
}

fn is_hung_up(pipe: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
    // What cannot be asked is still there.
    let _asked = poll(&mut polled, PollTimeout::ZERO);
    polled.iter().any(|end| end.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_lease_lasts_as_long_as_somebody_holds_its_other_end() {
        let (read, write) = pipe::new().unwrap();
        let copy = write.try_clone().unwrap();
        let ended = ended(read, 1000).unwrap();
        tokio::pin!(ended);
        drop(write);
        nix::unistd::write(&copy, b"x").unwrap();
        assert!(timeout(Duration::from_millis(50), &mut ended).await.is_err());
        drop(copy);
        timeout(Duration::from_secs(10), ended).await.expect("it has ended");
    }

    #[tokio::test]
    async fn what_is_no_read_end_is_no_lease() {
        let (_read, write) = pipe::new().unwrap();
        assert!(ended(write, 1000).is_err());
        assert!(ended(std::fs::File::open("/dev/null").unwrap().into(), 1000).is_err());
    }
}
