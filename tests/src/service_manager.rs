//! systemd's side of `LoadCredential=`, step by step as it is in its source (`read_full_file_full()`, `load_credential()`): the
//! listening socket it passes, and the question it asks before a unit starts.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, connect, socket};

use crate::wait::PATIENCE;

/// Longest credential, bytes (`CREDENTIAL_SIZE_MAX`).
const CREDENTIAL_BYTES_MAX: u64 = 1 << 20;

/// What came of asking for a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// The unit starts with this. Nothing at all is a credential too.
    Credential(Vec<u8>),
    /// The answer is longer than any credential: the unit fails.
    TooLong,
    /// Reading failed: the unit fails.
    Failed(io::ErrorKind),
}

/// The part of the service manager that a vault sees.
#[derive(Debug)]
pub struct ServiceManager {
    listener: UnixListener,
    path: PathBuf,
}

impl ServiceManager {
    /// Makes the socket in `directory` as its unit would, root's alone.
    pub fn listen(directory: &Path) -> Self {
        let path = directory.join("credentials");
        let listener = UnixListener::bind(&path).expect("the credentials socket");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
        Self { listener, path }
    }

    /// The socket as the daemon gets it; this end stays open, whatever becomes of the daemon.
    pub fn socket(&self) -> OwnedFd {
        self.listener.try_clone().expect("a second handle of the socket").into()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for a credential of a unit.
    pub fn load(&self, unit: &str, id: &str) -> Loaded {
        finish(self.ask(unit, id))
    }

    /// Asks, and leaves reading the answer to [`finish`].
    pub fn ask(&self, unit: &str, id: &str) -> UnixStream {
        static RANDOM: AtomicU64 = AtomicU64::new(0x9f8f_d7d0_f4c0_b2a1);
        let random = RANDOM.fetch_add(1, Ordering::Relaxed);
        connect_from(&self.path, format!("{random:x}/unit/{unit}/{id}").as_bytes()).expect("connecting")
    }

    /// Whether a connection to the socket was let in and is still open. `/proc/net/unix` has them all under its path, beside
    /// the socket itself; what waits to be let in is no file of anybody's yet and has the inode 0.
    pub fn has_let_in(&self) -> bool {
        let sockets = fs::read_to_string("/proc/net/unix").expect("the sockets");
        let ours = sockets.lines().map(|line| line.split_whitespace().skip(6).collect::<Vec<_>>());
        ours.filter(|words| matches!(words.as_slice(), [inode, path] if *inode != "0" && Path::new(path) == self.path))
            .count()
            > 1
    }

    /// Asks from an abstract address that can be anything.
    pub fn load_from(&self, name: &[u8]) -> Loaded {
        finish(connect_from(&self.path, name).expect("connecting"))
    }
}

/// Binds an end to the abstract `name`, connects it to the socket at `path` and says that nothing follows.
///
/// # Errors
/// `bind(2)`, `connect(2)`.
pub fn connect_from(path: &Path, name: &[u8]) -> io::Result<UnixStream> {
    let end = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(end.as_raw_fd(), &UnixAddr::new_abstract(name)?)?;
    connect(end.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(end);
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}

/// Reads the answer to its end, or to where it is too long. Systemd would wait longer for it.
pub fn finish(stream: UnixStream) -> Loaded {
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    match stream.take(CREDENTIAL_BYTES_MAX + 1).read_to_end(&mut answer) {
        Ok(bytes) if bytes as u64 > CREDENTIAL_BYTES_MAX => Loaded::TooLong,
        Ok(_) => Loaded::Credential(answer),
        Err(error) => Loaded::Failed(error.kind()),
    }
}
