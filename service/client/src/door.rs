//! Opening a connection to the vault: at its own socket, or on a bus.

use std::num::NonZeroU32;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::UnixAddr;
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
            Err(cause) => cause,
        };
        let and = if tried.is_empty() { "" } else { ", nor at " };
        tried.push_str(&format!("{and}{} ({cause})", address::describe(door)));
    }
    Err(Error::unreachable(&tried))
}

fn open_door(door: &Address, carries: Carries, until: Instant) -> Result<Connection, String> {
    match door {
        Address::Socket(path) => {
            let socket = UnixAddr::new(path.as_path()).map_err(|errno| errno.desc().to_owned())?;
            open_socket(&Endpoint { socket, guid: None }, carries, until)
        }
        Address::Bus(bus) => open_bus(bus, carries, until),
        Address::SystemBus => open_bus(&address::system_bus(), carries, until),
    }
}

fn open_socket(endpoint: &Endpoint, carries: Carries, until: Instant) -> Result<Connection, String> {
    let (stream, inbox) = greet(endpoint, &[], carries, until)?;
    Ok(Connection::new(stream, inbox, None))
}

/// Opens the first way to a bus that can be opened.
fn open_bus(address: &str, carries: Carries, until: Instant) -> Result<Connection, String> {
    let mut causes = Vec::new();
    for way in endpoint::parse(address) {
        match way.and_then(|endpoint| join_bus(&endpoint, carries, until)) {
            Ok(connection) => return Ok(connection),
            Err(cause) => causes.push(cause),
        }
    }
    Err(if causes.is_empty() { "it is empty".to_owned() } else { causes.join("; ") })
}

fn join_bus(endpoint: &Endpoint, carries: Carries, until: Instant) -> Result<Connection, String> {
    let hello = HELLO.call(&()).map_err(|error| cause(&error))?;
    let (stream, inbox) = greet(endpoint, &hello.bytes, carries, until)?;
    let mut connection = Connection::new(stream, inbox, Some(BUS_NAME));
    let welcome = connection.await_reply(hello.serial, until).map_err(|failure| match failure {
        Failure::Unsent(cause) | Failure::Lost(cause) => cause,
        Failure::Late => broken(Errno::ETIMEDOUT),
        Failure::NoMemory { .. } => broken(Errno::ENOMEM),
    })?;
    match welcome.message_type() {
        Type::Error => Err(Error::from_reply(&welcome).to_string()),
        _ => Ok(connection),
    }
}

fn greet(endpoint: &Endpoint, call: &[u8], carries: Carries, until: Instant) -> Result<(Stream, Inbox), String> {
    let stream = Stream::connect(&endpoint.socket, until).map_err(broken)?;
    let mut inbox = Inbox::new();
    let greeted = greeting::greet(&stream, &mut inbox, call, (endpoint.guid.as_deref(), carries), until);
    greeted.map_err(|refused| match refused {
        Refused::Said(text) => text,
        Refused::Broken(errno) => broken(errno),
    })?;
    Ok((stream, inbox))
}

fn broken(errno: Errno) -> String {
    if errno == Errno::ETIMEDOUT { "no answer".to_owned() } else { errno.desc().to_owned() }
}

#[cfg(test)]
mod tests;
