//! What the service manager keeps for the daemon over a restart.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sd_notify::NotifyState;

/// Descriptors that may wait to be sent. A service manager that takes none for so long has stopped.
const WAITING_MAX: usize = 1024;

/// A thread of its own sends them: it waits while the service manager is busy, and nobody else does.
static SENDER: OnceLock<Option<SyncSender<Kept>>> = OnceLock::new();

/// Something to keep.
struct Kept {
    fd: OwnedFd,
    name: String,
    /// Instead of all that have this name.
    only: bool,
}

/// Has it keep a copy of a descriptor, to be passed under `name` to the next daemon. Where there is no service manager, nobody
/// does. It gives up a pipe that has ended by itself.
pub fn keep(fd: impl AsFd, name: &str) {
    hand_over(fd, name, false);
}

/// The same instead of everything it keeps under that name.
pub fn keep_only(fd: impl AsFd, name: &str) {
    hand_over(fd, name, true);
}

fn hand_over(fd: impl AsFd, name: &str, only: bool) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let failed = |why: &dyn std::fmt::Display| {
        log::warn!("the service manager could not be given '{name}' to keep over a restart: {why}");
    };
    let Some(sender) = SENDER.get_or_init(start) else { return failed(&"there is no thread for it") };
    match fd.as_fd().try_clone_to_owned() {
        Ok(fd) => {
            if sender.try_send(Kept { fd, name: name.to_owned(), only }).is_err() {
                failed(&"it does not listen");
            }
        }
        Err(error) => failed(&error),
    }
}

fn start() -> Option<SyncSender<Kept>> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    std::thread::Builder::new().name("manager".into()).spawn(move || send_all(&receiver)).ok()?;
    Some(sender)
}

fn send_all(waiting: &Receiver<Kept>) {
    for kept in waiting {
        if let Err(error) = send(&kept) {
            let name = kept.name;
            log::warn!("the service manager could not be given '{name}' to keep over a restart: {error}");
        }
    }
}

fn send(kept: &Kept) -> std::io::Result<()> {
    let name = NotifyState::FdName(&kept.name);
    if kept.only {
        sd_notify::notify(&[NotifyState::FdStoreRemove, name])?;
    }
    let name = NotifyState::FdName(&kept.name);
    sd_notify::notify_with_fds(&[NotifyState::FdStore, name], &[kept.fd.as_fd()])
}
