//! The private door: peer-to-peer D-Bus on a socket of the vault's own.
//!
//! Who comes in is who the kernel says he is. zbus does the talking but for what the fast path answers, after the door has
//! greeted the client itself, and it sees no message before that is whole and measured: what a client can make the daemon
//! hold is bounded by what it sent, by the calls it has in flight, by the connections its uid has. No client waits for
//! another, but for those of one user who are answered with more values than they read.
//! This room knows nothing of tokens: what is served is the [`Host`]'s.

mod account;
mod admission;
mod connection;
mod flight;
mod handshake;
mod hello;
mod listener;
mod reader;
mod wire;
mod writer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use zbus::connection::Builder;
use zbus::export::async_trait::async_trait;
use zbus::{Guid, OwnedGuid};

use self::account::Accounts;
use self::admission::Admission;
use self::connection::{Admitted, Attendant};
pub use self::listener::{DoorSocket, OpenSocket, bind, pause_after};
use crate::config::Limits;
use crate::fast_path::FastPath;
use crate::message::Called;
use crate::sys::process;
use crate::value::Claim;

/// Who is at the other end, as the kernel recorded it when the connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// UID.
    pub uid: u32,
    /// All groups, the primary one included.
    pub gids: Arc<[u32]>,
    /// Process id, a hint; `None` when it has none here.
    pub pid: Option<u32>,
}

/// Calls of one connection that are taken in although their uid has enough in flight: to be refused.
const OVER_LIMIT: u32 = 64;
/// Calls of one connection taken in, whatever is configured.
const IN_FLIGHT_MAX: u32 = 4096;

/// One in so many descriptors of the daemon may have come with calls of one uid; a value that comes takes two more. And one in
/// so many of what the kernel lets it have under way may lie in replies to one uid, which is the same number.
const SHARES_OF_DESCRIPTORS: usize = 8;

/// What clients may take up. Read anew for each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorLimits {
    /// Connections of one uid (`connections`), silent ones included; 0: no limit.
    pub connections: usize,
    /// Connections of all uids.
    pub connections_total: usize,
    /// Of these, how many nobody but root can have.
    pub reserved: usize,
    /// Connections of all uids that nobody knows.
    pub strangers: usize,
    /// Connections of all uids that are just being looked up.
    pub newcomers: usize,
    /// Calls of one connection that wait for their reply; further ones wait in the socket.
    pub in_flight: u32,
    /// Longest greeting.
    pub handshake: Duration,
    /// Longest time from the first byte of a message to its last (`request-seconds`).
    pub message: Duration,
    /// Longest time a reply may wait for room in the client's socket. What found room may lie there unread for as long as the
    /// client has the socket: the connection keeps its place for it, and values are refused while too many lie there.
    pub stall: Duration,
    /// Descriptors that came with calls of one uid and have no reply, and of those under way in its unread replies.
    pub descriptors: usize,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            connections_total: 8192,
            reserved: 64,
            strangers: 64,
            newcomers: 1024,
            in_flight: 64,
            handshake: Duration::from_secs(2),
            message: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            descriptors: 1024,
        }
    }
}

impl DoorLimits {
    /// What an administrator set.
    pub fn of(limits: &Limits) -> Self {
        let connections = usize::try_from(limits.connections).unwrap_or(usize::MAX);
        // More than a uid may have in flight: what is over that limit comes in and is told so at once, instead of waiting.
        let in_flight = match limits.in_flight {
            0 => IN_FLIGHT_MAX,
            limit => u32::try_from(limit).unwrap_or(IN_FLIGHT_MAX).saturating_add(OVER_LIMIT).min(IN_FLIGHT_MAX),
        };
        let message = match limits.request_seconds {
            0 => Self::default().message,
            seconds => Duration::from_secs(seconds),
        };
        let descriptors = process::most_descriptors() / SHARES_OF_DESCRIPTORS;
        Self { connections, in_flight, message, descriptors, ..Self::default() }
    }
}

/// What a peer is served on its connection.
pub struct Welcome {
    /// Answers some calls before zbus sees them.
    pub fast_path: Option<Arc<dyn FastPath>>,
    /// Adds to the connection what zbus serves.
    pub serve: Box<dyn FnOnce(Builder<'static>) -> Builder<'static> + Send>,
}

/// Too many replies of a uid are unread for another call that is answered with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread;

/// What stands behind the door.
#[async_trait]
pub trait Host: Send + Sync {
    /// What this peer is served on its connection.
    fn welcome(&self, peer: &Peer) -> Welcome;

    /// Whether a uid is known to be a user's, without asking anybody.
    fn is_known(&self, _uid: u32) -> bool {
        true
    }

    /// Whether a uid is a user's; `None` while nobody can tell.
    async fn knows(&self, uid: u32) -> Option<bool> {
        Some(self.is_known(uid))
    }

    /// Whether a call may be answered now; if not, it is asked again in a moment. What the host answers itself it counts itself;
    /// everything else (`Introspect`, properties, what does not exist) is answered below it.
    fn admits(&self, _uid: u32, _call: &Called<'_>) -> bool {
        true
    }

    /// What a call takes of the host's until its reply is written; nothing, where it needs nothing. Waits for it, but not for
    /// long.
    ///
    /// # Errors
    /// [`Unread`]: the call is refused.
    async fn claim(&self, _uid: u32, _call: &Called<'_>) -> Result<Option<Claim>, Unread> {
        Ok(None)
    }

    /// How long nothing more of a uid should be read.
    fn silence(&self, _uid: u32) -> Duration {
        Duration::ZERO
    }
}

/// The door, open as long as it runs.
pub struct PrivateDoor {
    socket: OpenSocket,
    attendant: Arc<Attendant>,
}

impl PrivateDoor {
    /// A door at `socket`, which was bound by [`bind`] or passed by systemd. It closes when `stop` becomes true.
    ///
    /// # Errors
    /// The socket cannot be registered with the runtime.
    pub fn new(
        socket: DoorSocket,
        limits: watch::Receiver<DoorLimits>,
        stop: watch::Receiver<bool>,
        host: Arc<dyn Host>,
    ) -> io::Result<Self> {
        let socket = socket.open()?;
        let guid = OwnedGuid::from(Guid::generate());
        let attendant =
            Attendant { admission: Admission::default(), accounts: Accounts::default(), guid, host, limits, stop };
        Ok(Self { socket, attendant: Arc::new(attendant) })
    }

    /// Takes connections until the door closes, then waits for the replies that are under way.
    pub async fn run(self) {
        let Self { socket, attendant } = self;
        let mut connections = JoinSet::new();
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = closing(attendant.stop.clone()) => break,
            };
            match accepted.map(|stream| attendant.admit(stream)) {
                Ok(Ok(client)) => drop(connections.spawn(attend(Arc::clone(&attendant), client))),
                Ok(Err(error)) => log::debug!("private door: client turned away: {error}"),
                Err(error) => {
                    if !failing {
                        log::warn!("private door: connections cannot be accepted, trying again: {error}");
                    }
                    failing = true;
                    tokio::time::sleep(pause_after(&error)).await;
                    continue;
                }
            }
            failing = false;
        }
        // New clients are refused by the kernel from here on.
        drop(socket);
        while connections.join_next().await.is_some() {}
    }
}

async fn attend(attendant: Arc<Attendant>, client: Admitted) {
    if let Err(error) = attendant.attend(client).await {
        log::debug!("private door: connection ended: {error}");
    }
}

/// Waits until the door is to close: also when whoever could say so is gone.
async fn closing(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
