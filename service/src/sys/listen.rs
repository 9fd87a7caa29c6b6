//! Descriptors systemd passes: sockets it listens on for the daemon, and what the daemon gave it to keep.

use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// Those that nobody has taken yet, with their names.
#[derive(Default)]
pub struct Passed(Vec<(String, OwnedFd)>);

impl Passed {
    /// All of them. To be called once, before anything else takes descriptors.
    pub fn all() -> Self {
        let Ok(passed) = sd_notify::listen_fds_with_names() else { return Self::default() };
        // SAFETY: systemd passed these descriptors to this process, nothing else owns them, and they are taken once.
        Self(passed.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) })).collect())
    }

    /// The one of this name.
    pub fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(passed, _)| passed == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The listening socket of this name.
    pub fn take_listener(&mut self, name: &str) -> Option<UnixListener> {
        self.take(name).map(UnixListener::from)
    }

    /// All whose names begin so, with the rest of their names.
    pub fn take_all(&mut self, prefix: &str) -> Vec<(String, OwnedFd)> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.0 = left;
        let rest = |name: String| name.strip_prefix(prefix).map(str::to_owned).unwrap_or_default();
        Vec::into_iter(taken).map(|(name, fd)| (rest(name), fd)).collect()
    }
}
