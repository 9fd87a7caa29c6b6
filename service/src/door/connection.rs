//! The life of one connection: admitted, greeted, served, ended.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};
use zbus::connection::Builder;
use zbus::{Connection, OwnedGuid};

use super::account::Accounts;
use super::admission::{Admission, Place, Refusal, Standing};
use super::flight::Flight;
use super::handshake;
use super::hello::{self, Hello};
use super::wire::{self, Wire};
use super::{DoorLimits, Host, Peer, Welcome, closing};
use crate::sys::{peer, ready, socket};

/// First and longest pause between two looks at what a client has not read.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What every connection of the door needs.
pub(super) struct Attendant {
    pub(super) admission: Admission,
    pub(super) accounts: Accounts,
    pub(super) guid: OwnedGuid,
    pub(super) host: Arc<dyn Host>,
    pub(super) limits: watch::Receiver<DoorLimits>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Attendant {
    /// Admits a client or turns it away, without waiting for anything it does.
    pub(super) fn admit(&self, stream: UnixStream) -> io::Result<Admitted> {
        let limits = *self.limits.borrow();
        let credentials = peer::credentials(&stream)?;
        let standing = if self.host.is_known(credentials.uid) { Standing::Known } else { Standing::Newcomer };
        let place =
            self.admission.enter(credentials.uid, standing, &limits).map_err(|refusal| turn_away(&stream, refusal))?;
        let mut gids = peer::groups(&stream)?;
        if !gids.contains(&credentials.gid) {
            gids.push(credentials.gid);
        }
        let peer = Peer { uid: credentials.uid, gids: gids.into(), pid: credentials.pid };
        Ok(Admitted { stream: stream.into(), peer, limits, place })
    }

    /// Greets and serves an admitted client until it leaves or the door closes.
    pub(super) async fn attend(self: Arc<Self>, client: Admitted) -> io::Result<()> {
        let Admitted { stream, peer, limits, mut place } = client;
        if place.is_newcomers() {
            let standing = match self.host.knows(peer.uid).await {
                Some(true) => Standing::Known,
                Some(false) => Standing::Stranger,
                // It is no stranger because the user database is away: it stays what it is.
                None => Standing::Newcomer,
            };
            if standing != Standing::Newcomer {
                place.settle(standing, &limits).map_err(|refusal| turn_away(&stream, refusal))?;
            }
        }
        let socket = ready::watch(stream, Interest::READABLE | Interest::WRITABLE)?;
        let greeting = handshake::greet(&socket, peer.uid, self.guid.as_str());
        let greeted = timeout(limits.handshake, greeting).await??;
        let Welcome { fast_path, serve } = self.host.welcome(&peer);
        let wire = Arc::new(Wire {
            socket,
            flight: Flight::new(limits.in_flight),
            host: Arc::clone(&self.host),
            fast_path,
            writing: Mutex::new(()),
            account: self.accounts.of(peer.uid, limits.descriptors),
            uid: peer.uid,
            passes_fds: greeted.passes_fds,
            message_time: limits.message,
            stall_time: limits.stall,
        });
        wire.account.join(&wire);
        let _end = HangUp(Arc::clone(&wire));
        let builder = Builder::authenticated_socket(wire::split(&wire, greeted.inbox), self.guid.clone())
            .p2p()
            .serve_at(hello::PATH, Hello);
        let connection = serve(builder).build().await.map_err(io::Error::other)?;
        self.until_the_end(&wire, &connection).await;
        // Calls that are being handled keep their place: leaving and coming back must not buy more of them.
        wire.hang_up();
        let _ = timeout(limits.message, wire.flight.settle()).await;
        wire.flight.close();
        drop(connection);
        // So does what the client has not read. It is under way whether or not this end is there.
        tokio::select! {
            () = until_read(&wire) => {}
            () = closing(self.stop.clone()) => {}
        }
        drop(place);
        Ok(())
    }

    /// Waits until the client leaves or the door closes; in that case, until its calls have their replies.
    async fn until_the_end(&self, wire: &Wire, connection: &Connection) {
        tokio::select! {
            () = connection.closed() => {}
            () = closing(self.stop.clone()) => {
                let _ = timeout(wire.message_time, wire.flight.settle()).await;
            }
        }
    }
}

/// Waits until a client that was hung up on has read what was sent to it, or has closed its end. Of neither is there an event.
async fn until_read(wire: &Wire) {
    let mut pause = LOOK_AGAIN.0;
    while socket::unread(&wire.socket).is_ok_and(|unread| unread > 0) {
        sleep(pause).await;
        pause = LOOK_AGAIN.1.min(pause * 2);
    }
}

/// Ends a connection also when its attendant is cut short: nothing is answered then.
struct HangUp(Arc<Wire>);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.hang_up();
    }
}

/// A client that may come in.
pub(super) struct Admitted {
    stream: OwnedFd,
    peer: Peer,
    limits: DoorLimits,
    place: Place,
}

/// Says why, as far as the greeting has words for it, and closes.
fn turn_away(stream: impl AsFd, refusal: Refusal) -> io::Error {
    let text = match refusal {
        Refusal::Uid => "limit 'connections' of this user is reached; close one and retry",
        Refusal::Door => "too many connections; retry",
        Refusal::Strangers => "too many connections of users whose names are not known; retry",
    };
    // Whether it arrives or not changes nothing.
    let _ = socket::send(stream, format!("ERROR \"{text}\"\r\n").as_bytes(), &[]);
    io::Error::new(io::ErrorKind::ConnectionRefused, text)
}
