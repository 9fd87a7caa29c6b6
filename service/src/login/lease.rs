//! A lease: the read end of a pipe whose other end whoever keeps a user logged in holds. Nothing is read from it; it ends when
//! nobody holds the other end any more, however that came.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokenvault_core::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::service::Service;
use crate::sys::listen::Passed;
use crate::sys::{manager, pipe, ready};

/// What a lease is called while the service manager keeps it, before the uid.
const NAME: &str = "lease-";

/// The read end.
struct Pipe(AsyncFd<OwnedFd>);

impl Pipe {
    /// Refuses what is none.
    fn new(alive: OwnedFd) -> Result<Self, Error> {
        let unusable = |error: io::Error| Error::InvalidArgs(format!("a lease is the read end of a pipe: {error}"));
        if !pipe::is_pipe(&alive).map_err(unusable)? || !pipe::is_readable(&alive).map_err(unusable)? {
            return Err(Error::InvalidArgs("a lease is the read end of a pipe, and this is none".into()));
        }
        ready::watch(alive, Interest::READABLE).map(Self).map_err(unusable)
    }

    /// Has the service manager keep it too, from now on.
    fn keep(&self, uid: u32) {
        manager::keep(self.0.get_ref(), &format!("{NAME}{uid}"));
    }

    /// Waits for its end.
    async fn end(self) {
        while !is_hung_up(self.0.get_ref()) {
            match self.0.readable().await {
                // What is written to it is nobody's.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => return,
            }
        }
    }
}

fn is_hung_up(pipe: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
    // What cannot be asked is still there.
    let _asked = poll(&mut polled, PollTimeout::ZERO);
    polled.iter().any(|end| end.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
}

/// One lease; counted until it is dropped.
struct Lease {
    service: Arc<Service>,
    uid: u32,
    is_kept: bool,
}

impl Lease {
    fn take(service: &Arc<Service>, uid: u32) -> Result<Self, Error> {
        let is_kept = service.logins.held().take_lease(uid)?;
        Ok(Self { service: Arc::clone(service), uid, is_kept })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.service.logins.held().end_lease(self.uid, self.is_kept);
    }
}

impl Service {
    /// Counts a uid as logged in while somebody holds the other end of the pipe `alive`.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`]; [`Error::InvalidArgs`] for what is no pipe.
    pub fn lease_login(self: &Arc<Self>, uid: u32, alive: OwnedFd) -> Result<(), Error> {
        let pipe = Pipe::new(alive)?;
        let lease = Lease::take(self, uid)?;
        if lease.is_kept {
            pipe.keep(uid);
        }
        tokio::spawn(async move {
            pipe.end().await;
            let service = Arc::clone(&lease.service);
            drop(lease);
            service.lock_if_gone(uid).await;
            // Where a session keeps the user logged in, that may be closing: nobody tells of it.
            service.logins.changed.notify_one();
        });
        Ok(())
    }

    /// Takes up the leases that were kept over a restart.
    pub fn resume_leases(self: &Arc<Self>, passed: &mut Passed) {
        let kept = passed.take_all(NAME).into_iter().filter_map(|(uid, fd)| Some((uid.parse().ok()?, fd)));
        for (uid, alive) in kept {
            if let Err(error) = self.lease_login(uid, alive) {
                log::warn!("a login of uid {uid} could not be followed over the restart: {error}");
            }
        }
    }
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
        let end = Pipe::new(read).unwrap().end();
        tokio::pin!(end);
        drop(write);
        nix::unistd::write(&copy, b"x").unwrap();
        assert!(timeout(Duration::from_millis(50), &mut end).await.is_err());
        drop(copy);
        timeout(Duration::from_secs(10), end).await.expect("it has ended");
    }

    #[tokio::test]
    async fn what_is_no_read_end_is_no_lease() {
        let (_read, write) = pipe::new().unwrap();
        assert!(Pipe::new(write).is_err());
        assert!(Pipe::new(std::fs::File::open("/dev/null").unwrap().into()).is_err());
    }
}
