//! Opening a connection to the vault: at its own socket, or on a bus.

use std::num::NonZeroU32;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::UnixAddr;
use tokenvault_proto::memory::NoMemory;
use tokenvault_proto::{Address, BUS_NAME};
use zbus::message::Type;

use crate::address;
use crate::connection::{Connection, Failure, cause};
use crate::endpoint::{self, Endpoint};
use crate::error::Error;
use crate::greeting::{self, Carries, Refused};
use crate::head::Head;
use crate::inbox::Inbox;
use crate::stream::Stream;

/// What a bus wants to hear before any other call.
const HELLO: Head = Head {
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    destination: Some("org.freedesktop.DBus"),
    serial: NonZeroU32::MIN,
    interactive: false,
};

/// Opens the first of `doors` that can be opened.
pub(crate) fn open(doors: &[Address], until: Instant) -> Result<Connection, Error> {
    open_for(doors, Carries::Descriptors, until)
}

/// The same for what `carries` names alone.
pub(crate) fn open_for(doors: &[Address], carries: Carries, until: Instant) -> Result<Connection, Error> {
    let mut tried = String::new();
    for door in doors {
        let cause = match open_door(door, carries, until) {
            Ok(connection) => return Ok(connection),
            Err(Shut::NoMemory) => return Err(NoMemory.into()),
            Err(Shut::For(cause)) => cause,
        };
        let and = if tried.is_empty() { "" } else { ", nor at " };
        tried.push_str(&format!("{and}{} ({cause})", address::describe(door)));
    }
    Err(Error::unreachable(&tried))
}

/// Why a door was not opened.
enum Shut {
    /// There is no memory for it, nor for another one.
    NoMemory,
    For(String),
}

impl From<Errno> for Shut {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOMEM => Self::NoMemory,
            Errno::ETIMEDOUT => Self::For("no answer".to_owned()),
            errno => Self::For(errno.desc().to_owned()),
        }
    }
}

fn open_door(door: &Address, carries: Carries, until: Instant) -> Result<Connection, Shut> {
    match door {
        Address::Socket(path) => {
            let socket = UnixAddr::new(path.as_path())?;
            open_socket(&Endpoint { socket, guid: None }, carries, until)
        }
        Address::Bus(bus) => open_bus(bus, carries, until),
        Address::SystemBus => open_bus(&address::system_bus(), carries, until),
    }
}

fn open_socket(endpoint: &Endpoint, carries: Carries, until: Instant) -> Result<Connection, Shut> {
    let (stream, inbox) = greet(endpoint, &[], carries, until)?;
    Ok(Connection::new(stream, inbox, None))
}

/// Opens the first way to a bus that can be opened.
fn open_bus(address: &str, carries: Carries, until: Instant) -> Result<Connection, Shut> {
    let mut causes = Vec::new();
    for way in endpoint::parse(address) {
        match way.map_err(Shut::For).and_then(|endpoint| join_bus(&endpoint, carries, until)) {
            Ok(connection) => return Ok(connection),
            Err(Shut::NoMemory) => return Err(Shut::NoMemory),
            Err(Shut::For(cause)) => causes.push(cause),
        }
    }
    Err(Shut::For(if causes.is_empty() { "it is empty".to_owned() } else { causes.join("; ") }))
}

fn join_bus(endpoint: &Endpoint, carries: Carries, until: Instant) -> Result<Connection, Shut> {
    let hello = HELLO.call(&()).map_err(|error| Shut::For(cause(&error)))?;
    let (stream, inbox) = greet(endpoint, &hello.bytes, carries, until)?;
    let mut connection = Connection::new(stream, inbox, Some(BUS_NAME));
    let welcome = connection.await_reply(hello.serial, until).map_err(|failure| match failure {
        Failure::Unsent(cause) | Failure::Lost(cause) => Shut::For(cause),
        Failure::Late => Errno::ETIMEDOUT.into(),
        Failure::NoMemory { .. } => Shut::NoMemory,
    })?;
    match welcome.message_type() {
        Type::Error => Err(Shut::For(Error::from_reply(&welcome).to_string())),
        _ => Ok(connection),
    }
}

fn greet(endpoint: &Endpoint, call: &[u8], carries: Carries, until: Instant) -> Result<(Stream, Inbox), Shut> {
    let stream = Stream::connect(&endpoint.socket, until)?;
    let mut inbox = Inbox::new();
    let greeted = greeting::greet(&stream, &mut inbox, call, (endpoint.guid.as_deref(), carries), until);
    greeted.map_err(|refused| match refused {
        Refused::Said(text) => Shut::For(text),
        Refused::Broken(errno) => errno.into(),
    })?;
    Ok((stream, inbox))
}

#[cfg(test)]
mod tests;
