//! What the service manager keeps for the daemon over a restart.

use std::os::fd::AsFd;

use sd_notify::NotifyState;

/// Has it keep a copy of a descriptor, to be passed under `name` to the next daemon. Where there is no service manager, nobody
/// does. It gives up a pipe that has ended by itself.
pub fn keep(fd: impl AsFd, name: &str) {
    let states = [NotifyState::FdStore, NotifyState::FdName(name)];
    if let Err(error) = sd_notify::notify_with_fds(&states, &[fd.as_fd()]) {
        log::warn!("the service manager could not be given '{name}' to keep over a restart: {error}");
    }
}
