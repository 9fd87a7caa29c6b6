//! The service manager's end of `NOTIFY_SOCKET`.

use std::fs;
use std::io;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::stat::fstat;

use crate::sys;

/// Receives what a service says about itself.
#[derive(Debug)]
pub struct Notifications {
    socket: UnixDatagram,
    path: PathBuf,
    history: Mutex<Vec<String>>,
    /// What it was given to keep over a restart, with its names.
    kept: Mutex<Vec<(String, OwnedFd)>>,
}

impl Notifications {
    /// Listens on a socket in `directory` that every user can write to, as the service manager's is.
    pub fn listen(directory: &Path) -> io::Result<Self> {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        Ok(Self { socket, path, history: Mutex::default(), kept: Mutex::default() })
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

    /// What it was given to keep, as it passes it to the next start: what has ended is not among it.
    pub fn kept(&self) -> Vec<(String, OwnedFd)> {
        self.receive();
        let kept = self.kept.lock().unwrap();
        let alive = kept.iter().filter(|(_, fd)| !is_hung_up(fd));
        alive.map(|(name, fd)| (name.clone(), fd.try_clone().unwrap())).collect()
    }

    fn keep(&self, name: &str, fds: Vec<OwnedFd>) {
        let mut kept = self.kept.lock().unwrap();
        for fd in fds {
            let is_new = kept.iter().all(|(_, other)| inode(other) != inode(&fd));
            if is_new {
                kept.push((name.to_owned(), fd));
            }
        }
    }

    fn receive_one(&self) -> Option<(String, Vec<OwnedFd>)> {
        let mut buffer = [0; 4096];
        let mut space = cmsg_space!([RawFd; 8]);
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut buffers, Some(&mut space), flags).ok()?;
        let fds = message.cmsgs().ok()?.flat_map(|part| match part {
            ControlMessageOwned::ScmRights(fds) => fds,
            _ => Vec::new(),
        });
        let fds = fds.map(sys::own).collect();
        let length = message.bytes;
        Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), fds))
    }

    /// What was said since the last look, `KEY=value` each.
    pub fn receive(&self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some((text, fds)) = self.receive_one() {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let said_it = |what: &str| lines.iter().any(|line| line == what);
            let name = lines.iter().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored");
            if said_it("FDSTORE=1") {
                self.keep(name, fds);
            } else if said_it("FDSTOREREMOVE=1") {
                self.kept.lock().unwrap().retain(|(kept, _)| kept != name);
            }
            said.extend(lines);
        }
        self.history.lock().unwrap().extend_from_slice(&said);
        said
    }
}

fn is_hung_up(fd: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(fd.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).unwrap();
    polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

fn inode(fd: &OwnedFd) -> (u64, u64) {
    let stat = fstat(fd).unwrap();
    (stat.st_dev, stat.st_ino)
}
