//! The service manager's end of `NOTIFY_SOCKET`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Receives what a service says about itself.
#[derive(Debug)]
pub struct Notifications {
    socket: UnixDatagram,
    path: PathBuf,
    history: Mutex<Vec<String>>,
}

impl Notifications {
    /// Listens on a socket in `directory` that every user can write to, as the service manager's is.
    pub fn listen(directory: &Path) -> io::Result<Self> {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        Ok(Self { socket, path, history: Mutex::default() })
    }

    /// Value for `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Readable when something has been said.
    pub fn event(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Everything ever said, `KEY=value` each.
    pub fn history(&self) -> Vec<String> {
        self.receive();
        self.history.lock().unwrap().clone()
    }

    /// What was said since the last look, `KEY=value` each.
    pub fn receive(&self) -> Vec<String> {
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            said.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        self.history.lock().unwrap().extend_from_slice(&said);
        said
    }
}
