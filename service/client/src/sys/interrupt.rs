//! Signals to a thread of this process, for tests.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// A thread that can be interrupted: system calls of it that wait are not taken up again by themselves.
#[derive(Clone, Copy)]
pub(crate) struct Interruptible(libc::pthread_t);

extern "C" fn do_nothing(_signal: libc::c_int) {}

impl Interruptible {
    /// The calling thread.
    pub(crate) fn current() -> Self {
        let action = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing, so it may run at any time.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        // SAFETY: only asks.
        Self(unsafe { libc::pthread_self() })
    }

    /// Interrupts it. It must not have ended.
    pub(crate) fn interrupt(self) {
        // SAFETY: the thread lives, and the signal has a handler.
        assert_eq!(unsafe { libc::pthread_kill(self.0, libc::SIGUSR1) }, 0);
    }
}
