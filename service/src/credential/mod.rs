//! The credentials door: what units are given by `LoadCredential=ID:/run/tokenvault/credentials`.
//!
//! The service manager connects before it starts a unit, and the kernel vouches for it: only root counts. Each connection is
//! one question and one answer. The value is given, or the unit fails and the journal says why.
//!
//! As long as the vault may still open by itself, nobody is let in: who connects waits in the queue of the socket. There no end
//! of the daemon can make an empty answer of his waiting, which systemd would take for the credential. A socket of the service
//! manager's keeps the queue for the next daemon; one of our own fails who waits in it. Whoever was let in is given the value or
//! refused: hung up on is nobody but who is not root.

mod address;
mod answer;
mod ending;
mod refused;
mod socket;

use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::caller::Door;
use tokenvault_core::port::SealError;
use tokenvault_core::token::{Credential, CredentialGrant, CredentialRefusal};
use tokenvault_core::unit::UnitName;
use tokenvault_core::vault::{SealReason, State, Vault};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::ErrorCode;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::address::{Asked, NotAsked, UNIT_AND_ID_BYTES_MAX, check_id};
use self::refused::Refused;
use crate::door::{DoorSocket, OpenSocket, pause_after};
use crate::journal::event;
use crate::metrics::Method;
use crate::service::Service;
use crate::sys::peer::{self, Credentials};
use crate::sys::ready;

pub use self::ending::Ending;
pub use self::socket::listen;

/// Connections that are answered at one time; others wait in the queue.
const ANSWERING_MAX: usize = 64;
/// How often it is looked whether the vault has opened, until it has.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What the log says about a refusal that the unit may not have got.
const UNHEARD: &str = "the service manager did not read the refusal to its end";

/// The door, open as long as it runs.
pub struct CredentialDoor {
    socket: OpenSocket,
    service: Arc<Service>,
}

impl CredentialDoor {
    /// A door at `socket`.
    ///
    /// # Errors
    /// The socket cannot be registered with the runtime.
    pub fn new(socket: DoorSocket, service: Arc<Service>) -> io::Result<Self> {
        Ok(Self { socket: socket.open()?, service })
    }

    /// Answers until the daemon's end begins, then finishes what it has begun.
    pub async fn run(self, ending: Ending) {
        let Self { socket, service } = self;
        let mut answering = JoinSet::new();
        let mut end = ending.clone();
        loop {
            let accepted = tokio::select! {
                () = end.begins() => break,
                Some(_) = answering.join_next() => continue,
                accepted = accept(&socket, &service), if answering.len() < ANSWERING_MAX => accepted,
            };
            match accepted {
                Ok(stream) => drop(answering.spawn(serve(Arc::clone(&service), stream, ending.clone()))),
                Err(error) => {
                    log::warn!("credentials: a connection cannot be accepted, trying again: {error}");
                    tokio::time::sleep(pause_after(&error)).await;
                }
            }
        }
        drop(socket);
        while answering.join_next().await.is_some() {}
    }
}

/// Lets the next one in, once the vault has opened or will not by itself.
async fn accept(socket: &OpenSocket, service: &Service) -> io::Result<UnixStream> {
    while service.units_wait() && may_open_by_itself(&service.vault) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    socket.accept().await
}

/// Whether the TPM may only have been slow so far. What needs an administrator is not waited for.
fn may_open_by_itself(vault: &Vault) -> bool {
    match vault.state() {
        State::Starting => true,
        State::Sealed => matches!(
            vault.seal_reason(),
            Some(
                SealReason::NotTried | SealReason::Tpm(SealError::NoTpm(_) | SealError::Timeout | SealError::Failed(_))
            )
        ),
        _ => false,
    }
}

/// Answers one connection.
async fn serve(service: Arc<Service>, stream: UnixStream, ending: Ending) {
    let begun = Instant::now();
    let (peer, name) = (peer::credentials(&stream), stream.peer_addr());
    // Whose it is that the kernel does not say may be root's.
    if let Ok(peer) = &peer
        && peer.uid != 0
    {
        return log::warn!("credentials: uid {} is not the service manager and is hung up on", peer.uid);
    }
    let stream = match ready::watch_or_return(stream.into(), Interest::WRITABLE) {
        Ok(stream) => stream,
        Err((stream, error)) => {
            Refused::unasked(&format!("the runtime cannot wait for its connection: {error}")).tell();
            let refused = tokio::task::spawn_blocking(|| answer::refuse_blocking(stream.into())).await;
            count(&service, Some(ErrorCode::Failed), begun);
            return heed(refused.unwrap_or_else(|error| Err(error.into())));
        }
    };
    let refused = match question(peer, name) {
        Err(refused) => refused,
        Ok((pid, asked)) => match load(&service, pid, &asked, ending).await {
            Ok(credential) => {
                give(&stream, &credential, &asked).await;
                return count(&service, None, begun);
            }
            Err(refusal) => Refused::by_vault(asked, &refusal),
        },
    };
    refused.tell();
    heed(answer::refuse(&stream).await);
    count(&service, Some(refused.code()), begun);
}

/// Counts an answer beside the calls of methods.
fn count(service: &Service, refused: Option<ErrorCode>, begun: Instant) {
    service.metrics.calls.count(Method::load_credential(), refused, begun.elapsed());
}

/// What root asks for, and by which process.
fn question(peer: io::Result<Credentials>, name: io::Result<SocketAddr>) -> Result<(Option<u32>, Asked), Refused> {
    let unknown = |error: io::Error| Refused::unasked(&format!("the kernel does not say who it is: {error}"));
    let (peer, name) = (peer.map_err(unknown)?, name.map_err(unknown)?);
    match Asked::parse(name.as_abstract_name().unwrap_or_default()) {
        Ok(asked) => Ok((peer.pid, asked)),
        Err(NotAsked::Foreign) => Err(Refused::unasked("it asks for no credential of a unit")),
        Err(NotAsked::Unfit { unit, id, why }) => Err(Refused::unfit(unit, id, &why)),
    }
}

/// Tells of a refusal that whoever asked may not have got.
fn heed(refused: io::Result<bool>) {
    match refused {
        Ok(true) => {}
        Ok(false) => log::error!("{UNHEARD}"),
        Err(error) => log::error!("{UNHEARD}: {error}"),
    }
}

async fn give(stream: &AsyncFd<OwnedFd>, credential: &Credential, Asked { unit, id }: &Asked) {
    let Credential { version, value } = credential;
    match answer::give(stream, value).await {
        Ok(()) => log::info!(
            MESSAGE_ID = event::CREDENTIAL_GRANTED, TOKENVAULT_UNIT = unit.as_str(), TOKENVAULT_CREDENTIAL = id.as_str();
            "unit {} is given the credential '{id}', version {version}", unit.as_str()
        ),
        Err(error) => log::warn!("unit {} did not take the credential '{id}': {error}", unit.as_str()),
    }
}

async fn load(
    service: &Arc<Service>,
    pid: Option<u32>,
    asked: &Asked,
    ending: Ending,
) -> Result<Credential, CredentialRefusal> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(move |result| drop(sender.send(result)));
    service.vault.load_credential(&service_manager(pid), &asked.unit, &asked.id, reply);
    let longest = match service.config().limits.request_seconds {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    };
    tokio::select! {
        biased;
        answer = receiver => answer.unwrap_or_else(|_| Err(stopping().into())),
        () = tokio::time::sleep(longest) => {
            let text = format!("the use of the share was not durable within {} s", longest.as_secs());
            Err(Error::Timeout(text).into())
        }
        () = ending.is_up() => Err(stopping().into()),
    }
}

fn stopping() -> Error {
    Error::Unavailable("the vault is stopping".into())
}

/// What a unit would be given now.
///
/// # Errors
/// Why it would be refused.
pub fn test(vault: &Vault, unit: &UnitName, id: &str) -> Result<CredentialGrant, CredentialRefusal> {
    check_id(id).map_err(|rule| CredentialRefusal::NoName(format!("it {rule}")))?;
    if unit.as_str().len() + id.len() > UNIT_AND_ID_BYTES_MAX {
        let text =
            format!("unit and id together are longer than the {UNIT_AND_ID_BYTES_MAX} bytes systemd can ask with");
        return Err(CredentialRefusal::NoName(text));
    }
    vault.test_credential(&service_manager(None), unit, id)
}

fn service_manager(pid: Option<u32>) -> Caller {
    Caller { uid: 0, gids: [0].into(), user: "root".into(), door: Door::Credential, pid }
}
