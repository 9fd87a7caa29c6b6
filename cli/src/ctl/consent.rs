//! An administrator who is not root: goes over the system bus, where polkit can be asked, and is asked at the terminal.

use std::io::{IsTerminal as _, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tokenvault_client::Address;
use tokenvault_proto::ADDRESS_VARIABLE;

/// polkit's own agent for terminals.
const AGENT: &str = "/usr/bin/pkttyagent";

/// The door of somebody who is not root, where nothing else was said: the private socket has no way to ask.
pub fn door(given: Option<Address>) -> Option<Address> {
    let said = given.is_some() || std::env::var_os(ADDRESS_VARIABLE).is_some_and(|value| !value.is_empty());
    if said || nix::unistd::geteuid().is_root() { given } else { Some(Address::SystemBus) }
}

/// The agent that asks at the terminal, until it is dropped.
pub struct Agent(Child);

impl Agent {
    /// Starts it where there is a terminal, and nobody who asks already; waits until it is ready.
    pub fn start() -> Option<Self> {
        if nix::unistd::geteuid().is_root() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let (mut ready, told) = std::io::pipe().ok()?;
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
        // It closes its end when it is ready, or when it ends.
        let _ready = ready.read(&mut [0]);
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
