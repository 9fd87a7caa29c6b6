//! The client: the doors it knows, the connection it keeps, the process it belongs to.

use std::time::{Duration, Instant};

use tokenvault_proto::Address;

use crate::address;
use crate::connection::Connection;
use crate::door;
use crate::error::Error;
use crate::method::Method;
use crate::sys::Birth;
use crate::turn::{self, Turns};

/// Longer than any program waits; keeps a deadline within what clocks can count.
pub(crate) const DEADLINE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long opening may take.
const OPEN_DEADLINE: Duration = Duration::from_secs(25);

/// The turn of one call.
pub(crate) type Turn<'c> = turn::Turn<'c, Box<Connection>>;

/// A client of the vault.
///
/// It may be shared between threads; calls are made one after the other, and waiting for one's turn counts towards the
/// deadline. It reconnects by itself after the daemon was restarted, and sends again only what was
/// certainly never sent, or what changes nothing. After `fork()` the child opens its own.
pub struct Client {
    doors: Vec<Address>,
    deadline: Option<Duration>,
    /// The process that opened it.
    birth: Birth,
    connection: Turns<Box<Connection>>,
}

impl Client {
    /// Connects to the vault: at `address`, or where `TOKENVAULT_ADDRESS` says (not in a setuid program), or at the
    /// private socket `/run/tokenvault/bus`, or else on the system bus.
    ///
    /// # Errors
    /// `InvalidArgs` when the environment names no address, `Unavailable` when no door can be opened.
    pub fn open(address: Option<&Address>) -> Result<Self, Error> {
        Self::open_within(address, OPEN_DEADLINE)
    }

    /// The same, for at most so long.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub fn open_within(address: Option<&Address>, deadline: Duration) -> Result<Self, Error> {
        let doors = address::resolve(address)?;
        let connection = door::open(&doors, Instant::now() + deadline.min(DEADLINE_MAX))?;
        Ok(Self { doors, deadline: None, birth: Birth::new(), connection: Turns::new(Box::new(connection)) })
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

    pub(crate) fn connect(&self, until: Instant) -> Result<Connection, Error> {
        door::open(&self.doors, until)
    }

    /// Waits for this thread's turn to use the connection, which is not there after a call that failed; `None` when the
    /// time passes first.
    ///
    /// In a child the connection is of no use, and closing it there does its parent's no harm: it is never shut down.
    pub(crate) fn take_turn(&self, until: Instant) -> Result<Option<Turn<'_>>, Error> {
        // First: in a child, the thread whose turn it is may not exist.
        if self.birth.is_elsewhere() {
            return Err(Error::forked());
        }
        Ok(self.connection.take(until))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("doors", &self.doors).finish_non_exhaustive()
    }
}
