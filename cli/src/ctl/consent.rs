//! An administrator who is not root: goes over the system bus, where polkit can be asked, and is asked at the terminal.

use std::io::{IsTerminal as _, PipeReader};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokenvault_client::Address;
use tokenvault_proto::ADDRESS_VARIABLE;

/// polkit's own agent for terminals.
const AGENT: &str = "/usr/bin/pkttyagent";
/// How long it may take to be ready. polkit is asked all the same when it is not, and says itself that nobody could be.
const AGENT_PATIENCE: Duration = Duration::from_secs(5);

/// The door of somebody who is not root, where nothing else was said: the private socket has no way to ask.
pub fn door(given: Option<Address>) -> Option<Address> {
    let said = given.is_some() || std::env::var_os(ADDRESS_VARIABLE).is_some_and(|value| !value.is_empty());
    if said || nix::unistd::geteuid().is_root() { given } else { Some(Address::SystemBus) }
}

/// Whether polkit can be asked about who comes in at this door.
pub const fn is_for_polkit(door: Option<&Address>) -> bool {
    matches!(door, Some(Address::Bus(_) | Address::SystemBus))
}

/// The agent that asks at the terminal, until it is dropped.
pub struct Agent(Child);

impl Agent {
    /// Starts it where there is a terminal, and nobody who asks already; waits a moment until it is ready.
    pub fn start() -> Option<Self> {
        if nix::unistd::geteuid().is_root() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let (ready, told) = std::io::pipe().ok()?;
        let told = OwnedFd::from(told);
        // The agent alone inherits it: nothing else is started meanwhile.
        fcntl(&told, FcntlArg::F_SETFD(FdFlag::empty())).ok()?;
        let agent = Command::new(AGENT)
            .args(["--notify-fd", &told.as_raw_fd().to_string(), "--fallback"])
            .args(["--process", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        drop(told);
        let agent = Self(agent.ok()?);
        wait_for_end(&ready, AGENT_PATIENCE);
        Some(agent)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the other end is closed, which the agent does when it is ready and when it ends; not longer than `patience`.
fn wait_for_end(ready: &PipeReader, patience: Duration) {
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        // A signal that was handled begins the wait anew, for what is left of it.
        if poll(&mut [PollFd::new(ready.as_fd(), PollFlags::POLLIN)], left) != Err(Errno::EINTR) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_is_never_ready_is_not_waited_for() {
        let (ready, told) = std::io::pipe().unwrap();
        let begun = Instant::now();
        wait_for_end(&ready, Duration::from_millis(100));
        assert!(begun.elapsed() >= Duration::from_millis(100));
        drop(told);
        wait_for_end(&ready, Duration::from_secs(3600));
    }

    #[test]
    fn only_a_bus_has_somebody_to_ask() {
        assert!(is_for_polkit(Some(&Address::SystemBus)));
        assert!(is_for_polkit(Some(&Address::Bus("unix:path=/run/bus".into()))));
        assert!(!is_for_polkit(Some(&Address::Socket("/run/bus".into()))));
    }
}
