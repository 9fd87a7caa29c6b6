//! The socket the door stands at.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys::ready;

/// How long to leave the socket alone when there is no descriptor for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens at `path`, with `mode`: authority is the peer's uid, the file's mode only keeps others from trying. A socket left behind by a daemon that
/// is gone is replaced, in one step, so that no client finds it missing or closed.
///
/// # Errors
/// Another daemon answers there, something else than a socket lies there, or the directory is not ours to write.
pub fn bind(path: &Path, mode: u32) -> io::Result<DoorSocket> {
    refuse_taken(path)?;
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?.to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.{}", std::process::id()));
    // Left behind by a daemon that had this process id and was killed in between.
    let _ = fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh)?;
    let placed = fs::set_permissions(&fresh, Permissions::from_mode(mode)).and_then(|()| fs::rename(&fresh, path));
    if let Err(error) = placed {
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    let file = SocketFile { path: path.to_owned(), id: identity(path)? };
    Ok(DoorSocket { listener, file: Some(file) })
}

/// Where clients come in.
#[derive(Debug)]
pub struct DoorSocket {
    listener: UnixListener,
    /// The file, where it is ours to remove.
    file: Option<SocketFile>,
}

impl DoorSocket {
    /// Registers the socket with the runtime.
    ///
    /// # Errors
    /// It cannot be.
    pub fn open(self) -> io::Result<OpenSocket> {
        let Self { listener, file } = self;
        Ok(OpenSocket { listener: ready::watch_listener(listener)?, _file: file })
    }
}

/// Where clients are let in. Once it is dropped, new ones are refused by the kernel, or wait for the next daemon where the
/// socket is the service manager's.
#[derive(Debug)]
pub struct OpenSocket {
    listener: AsyncFd<UnixListener>,
    _file: Option<SocketFile>,
}

impl OpenSocket {
    /// Lets the next one in, once there is somebody. It is not registered with the runtime: what could fail then would close it
    /// unanswered.
    ///
    /// # Errors
    /// See `accept(2)`, and [`pause_after`]: nobody was let in.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        let accepted = self.listener.async_io(Interest::READABLE, UnixListener::accept).await;
        accepted.map(|(stream, _)| stream)
    }
}

impl From<UnixListener> for DoorSocket {
    /// A socket that was passed by the service manager, who keeps its file.
    fn from(listener: UnixListener) -> Self {
        Self { listener, file: None }
    }
}

/// The file of a socket that was bound here. Removed on drop, so that clients find no door instead of a closed one; unless another
/// daemon has put its own there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|id| id == self.id) {
            // What stays is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn refuse_taken(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?.file_type(),
    };
    if !kind.is_socket() {
        let text = format!("{} exists and is no socket; remove it or choose another runtime-dir", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    // Without waiting: a daemon that hangs with a full queue must not make this one hang.
    let probe = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    match connect(probe.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Ok(()),
        Ok(()) | Err(Errno::EAGAIN) => {
            let text = format!("another tokenvaultd answers on {}; stop it first", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
        Err(error) => Err(error.into()),
    }
}

/// What to do about a connection that could not be accepted: how long to pause before the next.
pub fn pause_after(error: &io::Error) -> Duration {
    match error.raw_os_error().map(Errno::from_raw) {
        // The client was gone before we came to it.
        Some(Errno::ECONNABORTED | Errno::EINTR) => Duration::ZERO,
        // No descriptors, no memory: the client waits in the queue meanwhile, and others give theirs back.
        _ => PAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYONE: u32 = 0o666;

    #[test]
    fn a_new_socket_is_open_to_everyone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        let _bound = bind(&path, EVERYONE).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_socket_for_root_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        let _bound = bind(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_socket_nobody_answers_on_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        // As a crash leaves it.
        std::mem::forget(bind(&path, EVERYONE).unwrap().file);
        assert!(UnixStream::connect(&path).is_err());
        let _bound = bind(&path, EVERYONE).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn the_file_goes_with_its_daemon_but_never_a_successors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        let DoorSocket { listener, file } = bind(&path, EVERYONE).unwrap();
        drop(listener);
        let successor = bind(&path, EVERYONE).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok());
        drop(successor);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_somebody_answers_on_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        let _first = bind(&path, EVERYONE).unwrap();
        assert_eq!(bind(&path, EVERYONE).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bus");
        fs::write(&path, "mine").unwrap();
        assert_eq!(bind(&path, EVERYONE).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
