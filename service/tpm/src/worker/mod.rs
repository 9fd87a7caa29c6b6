//! One request, one answer.

mod chip;
mod counter;
mod fault;
mod patience;
mod policy;
mod root_key;
mod seal;
mod status;
mod sys;
mod unseal;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use tokenvault_core::port::{Counted, SealError, SealedBlob, TpmStatus};
use tokenvault_tpm::{MAX_MESSAGE, Operation, PREFIX, Request, Response, SECRET_LEN, Tcti, body_len};
use zeroize::Zeroizing;

use chip::Chip;
use fault::Fault;

/// A message in memory that is wiped afterwards.
type Buffer = Zeroizing<Box<[u8]>>;

/// What came of an operation, still owning the secret.
enum Outcome {
    Sealed(SealedBlob),
    Unsealed(Zeroizing<[u8; SECRET_LEN]>),
    Status(TpmStatus),
    Counted(Counted),
}

/// Serves the one request. An error is something the daemon cannot be told through the socket.
pub fn run() -> Result<(), String> {
    sys::clear_environment();
    sys::harden().map_err(|error| format!("cannot shut out core dumps and debuggers: {error}"))?;
    let mut socket = standard_input()?;
    let request = receive(&mut socket)?;
    let request = Request::decode(&request).map_err(|error| format!("cannot read the request: {error}"))?;
    let outcome = perform(&request);
    send(&mut socket, &outcome)
}

/// The socket the daemon passed. A terminal, a pipe or a file is none: nobody runs this program by hand.
fn standard_input() -> Result<UnixStream, String> {
    let by_hand =
        |error| format!("standard input is not the daemon's socket: tokenvaultd starts this program ({error})");
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(by_hand)?);
    socket.peer_addr().map_err(by_hand)?;
    Ok(socket)
}

fn receive(socket: &mut UnixStream) -> Result<Buffer, String> {
    let failed = |error| format!("cannot read the request: {error}");
    let mut prefix = [0; PREFIX];
    socket.read_exact(&mut prefix).map_err(failed)?;
    let len = body_len(prefix).map_err(|error| format!("cannot read the request: {error}"))?;
    let mut body: Buffer = Zeroizing::new(vec![0; len].into());
    socket.read_exact(&mut body).map_err(failed)?;
    Ok(body)
}

fn send(socket: &mut UnixStream, outcome: &Result<Outcome, SealError>) -> Result<(), String> {
    let response = match outcome {
        Ok(Outcome::Sealed(blob)) => Response::Sealed(blob.clone()),
        Ok(Outcome::Unsealed(secret)) => Response::Unsealed(secret),
        Ok(Outcome::Status(status)) => Response::Status(status.clone()),
        Ok(Outcome::Counted(counted)) => Response::Counted(*counted),
        Err(error) => Response::Failed(error.clone()),
    };
    let mut buffer: Buffer = Zeroizing::new(vec![0; MAX_MESSAGE].into());
    let len = response.encode(&mut buffer).map_err(|error| format!("cannot write the answer: {error}"))?;
    let message = buffer.get(..len).unwrap_or_default();
    socket.write_all(message).map_err(|error| format!("cannot send the answer: {error}"))
}

/// Does the operation. Every attempt has a connection of its own; closing it flushes the sessions and objects it made,
/// whichever way it ended.
fn perform(request: &Request<'_>) -> Result<Outcome, SealError> {
    let tcti: Tcti = request.tcti.parse().map_err(|error| SealError::Failed(format!("{error}")))?;
    let attempt = || {
        let mut chip = Chip::open(&tcti)?;
        match &request.operation {
            Operation::Seal { secret, pcrs } => seal::seal(&mut chip, secret, pcrs).map(Outcome::Sealed),
            Operation::Unseal(blob) => unseal::unseal(&mut chip, blob).map(Outcome::Unsealed),
            Operation::Status => status::status(&mut chip).map(Outcome::Status),
            Operation::Count { index, root_key_name, auth, step } => {
                let place = counter::Place { index: *index, root_key_name, auth };
                counter::count(&mut chip, &place, *step).map(Outcome::Counted)
            }
        }
    };
    patience::retrying(attempt, std::thread::sleep).map_err(|fault: Fault| fault.into_seal_error(&tcti))
}
