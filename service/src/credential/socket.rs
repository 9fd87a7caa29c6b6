//! The socket the credentials door stands at.

use std::io;
use std::path::Path;

use nix::unistd::geteuid;

use crate::door::{DoorSocket, bind};
use crate::sys::listen::Passed;

/// Name systemd gives the socket it passes.
const NAME: &str = "credentials";
/// Only the service manager comes in.
const MODE: u32 = 0o600;

/// The socket that systemd passed, or one of our own at `path` where that can be root's; else none, since nobody could tell
/// from its file who may come in.
///
/// # Errors
/// It cannot be made at `path`.
pub fn listen(path: &Path, passed: &mut Passed) -> io::Result<Option<DoorSocket>> {
    if let Some(listener) = passed.take_listener(NAME) {
        return Ok(Some(listener.into()));
    }
    if geteuid().is_root() {
        return bind(path, MODE).map(Some);
    }
    log::info!(
        "units are given no credentials: the service manager passed no socket '{NAME}', and only root can make one"
    );
    Ok(None)
}
