//! What the daemon is told by signals: to stop, or to read its configuration again.
//!
//! They are read from a descriptor of the kernel's. tokio has signals too, but keeps descriptors for them in every program
//! that holds a tokio built with them, and the C library is built together with the daemon and is a guest elsewhere.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use nix::libc::{SIGHUP, c_int};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use tokio::net::unix::pipe::Receiver;

/// What a signal tells the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// SIGHUP.
    Reload,
    /// SIGTERM, SIGINT.
    Stop,
}

/// The signals of this process.
pub struct Signals(SignalFd);

impl Signals {
    /// Takes the signals over from the default, which would end the process. Threads do as the one that started them, so
    /// this comes before the first. Programs that are started inherit the block, and lift it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take_over() -> io::Result<Self> {
        let mut told = SigSet::empty();
        told.extend([Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]);
        told.thread_block()?;
        Ok(Self(SignalFd::with_flags(&told, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// Makes them something to wait for, in a runtime.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen(self) -> io::Result<Listening> {
        Receiver::from_owned_fd_unchecked(OwnedFd::from(self.0)).map(Listening)
    }
}

/// Signals to wait for. The kernel lets them be read like a pipe, one record each.
pub struct Listening(Receiver);

impl Listening {
    /// What the daemon is told next.
    pub async fn next(&mut self) -> Told {
        let mut record = [0; size_of::<siginfo>()];
        loop {
            let read = match self.0.readable().await {
                Ok(()) => self.0.try_read(&mut record),
                Err(error) => Err(error),
            };
            match read {
                Ok(_) if number(&record) == SIGHUP => return Told::Reload,
                Ok(_) => return Told::Stop,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // Without its signals the daemon could never be stopped in order.
                Err(error) => {
                    log::error!("signals cannot be read: {error}");
                    return Told::Stop;
                }
            }
        }
    }
}

/// The number of the signal, with which a record begins.
fn number(record: &[u8]) -> c_int {
    record.first_chunk().map_or(0, |bytes| c_int::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn signals_are_told_in_the_order_of_the_kernel_and_end_nothing() {
        let signals = Signals::take_over().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let mut signals = signals.listen().unwrap();
            for (signal, told) in
                [(Signal::SIGHUP, Told::Reload), (Signal::SIGINT, Told::Stop), (Signal::SIGTERM, Told::Stop)]
            {
                raise(signal).unwrap();
                assert_eq!(signals.next().await, told);
            }
        });
    }
}
