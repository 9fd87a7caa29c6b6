//! Sockets systemd passes.

use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// The listening socket systemd passed under `name`, if it did. To be called once for each name.
pub fn passed_socket(name: &str) -> Option<UnixListener> {
    let mut passed = sd_notify::listen_fds_with_names().ok()?;
    let (fd, _) = passed.find(|(_, passed_name)| passed_name == name)?;
    // SAFETY: systemd passed this descriptor to this process, nothing else owns it, and it is taken once for its name.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Some(UnixListener::from(fd))
}
