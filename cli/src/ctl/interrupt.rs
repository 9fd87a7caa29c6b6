//! SIGINT and SIGTERM while a command waits for the daemon: they ask for an end of what it waits for, and not of the command alone.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Both are held back for as long as this lives.
pub struct Interrupts {
    signals: Option<SignalFd>,
    held: SigSet,
}

impl Interrupts {
    /// From here on they are told by [`Interrupts::wait`]. Where that cannot be, they end the command as ever.
    pub fn hold() -> Self {
        let mut held = SigSet::empty();
        held.add(Signal::SIGINT);
        held.add(Signal::SIGTERM);
        let signals = SignalFd::with_flags(&held, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).ok();
        let signals = signals.filter(|_| held.thread_block().is_ok());
        Self { signals, held }
    }

    /// Waits that long, or until one comes; whether one did.
    pub fn wait(&self, pause: Duration) -> bool {
        let Some(signals) = &self.signals else {
            std::thread::sleep(pause);
            return false;
        };
        let mut wanted = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        match poll(&mut wanted, pause) {
            Ok(0) | Err(Errno::EINTR) => false,
            _ => matches!(signals.read_signal(), Ok(Some(_))),
        }
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        if self.signals.is_some() {
            let _as_it_was = self.held.thread_unblock();
        }
    }
}
