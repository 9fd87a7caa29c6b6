//! The credentials door: what units are given by `LoadCredential=ID:/run/tokenvault/credentials`.
//!
//! The service manager connects before it starts a unit, and the kernel vouches for it: only root counts. Each connection is
//! one question and one answer. The value is given, or the unit fails and the journal says why.
//!
//! As long as the vault may still open by itself, nobody is let in: who connects waits in the queue of the socket. There no end
//! of the daemon can make an empty answer of his waiting, which systemd would take for the credential. A socket of the service
//! manager's keeps the queue for the next daemon; one of our own fails who waits in it.

mod address;
mod answer;
mod socket;

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokenvault_core::caller::Door;
use tokenvault_core::port::SealError;
use tokenvault_core::token::{Credential, CredentialGrant, CredentialRefusal};
use tokenvault_core::unit::UnitName;
use tokenvault_core::vault::{SealReason, State, Vault};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::ErrorCode;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::address::{Asked, NotAsked, UNIT_AND_ID_BYTES_MAX, check_id};
use crate::bus::Refusal;
use crate::door::{DoorSocket, OpenSocket, pause_after};
use crate::journal::event;
use crate::metrics::Method;
use crate::service::Service;
use crate::sys::peer;

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

    /// Answers until `stop` becomes true, then finishes what it has begun.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { socket, service } = self;
        let mut answering = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = answering.join_next() => continue,
                accepted = accept(&socket, &service), if answering.len() < ANSWERING_MAX => accepted,
            };
            match accepted {
                Ok(stream) => drop(answering.spawn(serve(Arc::clone(&service), stream))),
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
async fn serve(service: Arc<Service>, stream: UnixStream) {
    let (Ok(peer), Ok(name)) = (peer::credentials(&stream), stream.peer_addr()) else { return };
    if peer.uid != 0 {
        return log::warn!("credentials: uid {} is not the service manager and is hung up on", peer.uid);
    }
    let asked = match Asked::parse(name.as_abstract_name().unwrap_or_default()) {
        Ok(asked) => Ok(asked),
        Err(NotAsked::Foreign) => return log::warn!("credentials: a peer that asks for no unit is hung up on"),
        Err(NotAsked::Unfit { unit, id, why }) => Err((unit, id, why)),
    };
    let Ok(stream) = stream.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(stream)) else {
        return log::error!("credentials: a connection cannot be registered with the runtime");
    };
    let begun = Instant::now();
    let count = |refused| service.metrics.calls.count(Method::load_credential(), refused, begun.elapsed());
    let (unit, id, refused) = match asked {
        Err((unit, id, why)) => {
            count(Some(ErrorCode::InvalidArgs));
            let told = format!("unit {unit} is refused the credential '{id}': {why}; correct the unit's file");
            (unit, id, told)
        }
        Ok(Asked { unit, id }) => match load(&service, peer.pid, &unit, &id).await {
            Ok(credential) => {
                give(&stream, &credential, &unit, &id).await;
                return count(None);
            }
            Err(refusal) => {
                count(Some(code_of(&refusal)));
                let told = told(&unit, &id, &refusal);
                (unit.as_str().to_owned(), id, told)
            }
        },
    };
    log::warn!(
        MESSAGE_ID = event::CREDENTIAL_REFUSED, TOKENVAULT_UNIT = unit.as_str(), TOKENVAULT_CREDENTIAL = id.as_str();
        "{refused}"
    );
    match answer::refuse(&stream).await {
        Ok(true) => {}
        Ok(false) => log::error!("{UNHEARD}"),
        Err(error) => log::error!("{UNHEARD}: {error}"),
    }
}

async fn give(stream: &tokio::net::UnixStream, credential: &Credential, unit: &UnitName, id: &str) {
    let Credential { version, value } = credential;
    match answer::give(stream, value).await {
        Ok(()) => log::info!(
            MESSAGE_ID = event::CREDENTIAL_GRANTED, TOKENVAULT_UNIT = unit.as_str(), TOKENVAULT_CREDENTIAL = id;
            "unit {} is given the credential '{id}', version {version}", unit.as_str()
        ),
        Err(error) => log::warn!("unit {} did not take the credential '{id}': {error}", unit.as_str()),
    }
}

/// What a caller would have been told.
fn code_of(refusal: &CredentialRefusal) -> ErrorCode {
    match refusal {
        CredentialRefusal::Vault(error) => Refusal::code_of(error),
        CredentialRefusal::NoName(_) => ErrorCode::InvalidArgs,
        CredentialRefusal::NoToken | CredentialRefusal::TokenExpired => ErrorCode::NotFound,
        _ => ErrorCode::AccessDenied,
    }
}

/// One line: unit, id, cause, next step.
fn told(unit: &UnitName, id: &str, refusal: &CredentialRefusal) -> String {
    let unit = unit.as_str();
    let told = format!("unit {unit} is refused the credential '{id}': {refusal}");
    match refusal {
        // It says what to do itself.
        CredentialRefusal::Vault(error) if error.to_string().contains("; ") => told,
        _ => format!("{told}; {}", refusal.next_step(unit, id)),
    }
}

async fn load(
    service: &Arc<Service>,
    pid: Option<u32>,
    unit: &UnitName,
    id: &str,
) -> Result<Credential, CredentialRefusal> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(move |result| drop(sender.send(result)));
    service.vault.load_credential(&service_manager(pid), unit, id, reply);
    let answer = async { receiver.await.unwrap_or_else(|_| Err(stopping().into())) };
    match service.config().limits.request_seconds {
        0 => answer.await,
        seconds => tokio::time::timeout(Duration::from_secs(seconds), answer).await.unwrap_or_else(|_| {
            Err(Error::Timeout(format!("the use of the share was not durable within {seconds} s")).into())
        }),
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
