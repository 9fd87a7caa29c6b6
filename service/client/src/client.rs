//! The client: the doors it knows, the connection it keeps, the runtime that the calling thread drives.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokenvault_proto::Address;
use tokio::runtime::Runtime;

use crate::address;
use crate::connection::Connection;
use crate::error::Error;
use crate::method::Method;

/// Longer than any program waits; keeps a deadline within what clocks can count.
const DEADLINE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long opening may take.
const OPEN_DEADLINE: Duration = Duration::from_secs(25);

/// A client of the vault.
///
/// It may be shared between threads; calls are made one after the other, and waiting for one's turn counts towards the
/// deadline. It reconnects by itself after the daemon was restarted, and sends again only what was
/// certainly never sent, or what changes nothing. After `fork()` the child opens its own.
pub struct Client {
    doors: Vec<Address>,
    deadline: Option<Duration>,
    /// The process that opened it.
    pid: u32,
    /// `None` only once the client is gone.
    driver: Mutex<Option<Driver>>,
}

/// What one call at a time needs.
pub(crate) struct Driver {
    pub(crate) runtime: Runtime,
    pub(crate) connection: Option<Connection>,
}

impl Client {
    /// Connects to the vault: at `address`, or where `TOKENVAULT_ADDRESS` says (not in a setuid program), or at the
    /// private socket `/run/tokenvault/bus`, or else on the system bus.
    ///
    /// # Errors
    /// `InvalidArgs` when the environment names no address, `Unavailable` when no door can be opened.
    pub fn open(address: Option<&Address>) -> Result<Self, Error> {
        let doors = address::resolve(address)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Error::local("start the client", &error))?;
        let connection = runtime.block_on(Connection::open(&doors, Instant::now() + OPEN_DEADLINE))?;
        let driver = Driver { runtime, connection: Some(connection) };
        Ok(Self { doors, deadline: None, pid: std::process::id(), driver: Mutex::new(Some(driver)) })
    }

    /// How long each later call may take, instead of 25 s (120 s for the calls of administrators).
    pub fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = Some(deadline.min(DEADLINE_MAX));
    }

    pub(crate) fn deadline_of(&self, method: &Method) -> Duration {
        self.deadline.unwrap_or(method.deadline)
    }

    /// When a call that begins now is late.
    pub(crate) fn until(&self, method: &Method) -> Instant {
        Instant::now() + self.deadline_of(method)
    }

    pub(crate) async fn connect(&self, until: Instant) -> Result<Connection, Error> {
        Connection::open(&self.doors, until).await
    }

    /// Runs `work` with the runtime and the connection, when it is this thread's turn.
    pub(crate) fn with_driver<R>(&self, work: impl FnOnce(&mut Driver) -> Result<R, Error>) -> Result<R, Error> {
        // Before the lock: in a child, the thread that holds it may not exist.
        if self.is_forked() {
            return Err(Error::forked());
        }
        // A driver is consistent at every point where a panic could leave it: the connection is out of it meanwhile.
        let mut driver: MutexGuard<'_, _> = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver.as_mut().ok_or_else(Error::forked).and_then(work)
    }

    fn is_forked(&self) -> bool {
        std::process::id() != self.pid
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let is_forked = self.is_forked();
        let driver = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Driver { runtime, connection }) = driver else {
            return;
        };
        if is_forked {
            // The epoll set and the socket are shared with the parent: taking ours down would take down the parent's.
            std::mem::forget((runtime, connection));
            return;
        }
        drop(connection);
        // Nothing is left to wait for, and waiting is not allowed where this may be dropped.
        runtime.shutdown_background();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("doors", &self.doors).finish_non_exhaustive()
    }
}
