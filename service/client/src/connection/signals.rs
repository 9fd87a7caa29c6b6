//! Signals that come through a connection: the vault's, and what else is sent to this client on a bus.

use std::time::Instant;

use nix::errno::Errno;
use serde::Serialize;
use tokenvault_proto::memory::NoMemory;
use tokenvault_proto::{BUS_NAME, OBJECT_PATH};
use zbus::message::Type;
use zbus::{DynamicType, Message};

use super::{Connection, Failure, Prepared, Sending, cause, next};
use crate::error::Error;
use crate::head::Head;

/// The name of a bus on itself.
const THE_BUS: &str = "org.freedesktop.DBus";

impl Connection {
    /// From now on signals are kept: on a bus those of the vault, which is started where it is not there, and those of the bus
    /// that say that it has left. At the vault's own socket its connection ends then.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub(crate) fn take_signals(&mut self, until: Instant) -> Result<(), Error> {
        if self.destination.is_some() {
            // First: it may leave at any time.
            self.follow_owner(until)?;
            let head = Head {
                path: OBJECT_PATH,
                interface: "org.freedesktop.DBus.Peer",
                member: "Ping",
                destination: self.destination,
                serial: next(&mut self.serial),
                interactive: false,
            };
            let reply = self.ask(&head, &(), until)?;
            self.vault = reply.header().sender().map(|sender| sender.as_str().to_owned());
        }
        self.inbox.take_signals();
        Ok(())
    }

    /// Has the bus tell when the vault leaves it.
    fn follow_owner(&mut self, until: Instant) -> Result<(), Error> {
        let rule = format!("type='signal',sender='{THE_BUS}',member='NameOwnerChanged',arg0='{BUS_NAME}'");
        let head = Head {
            path: "/org/freedesktop/DBus",
            interface: THE_BUS,
            member: "AddMatch",
            destination: Some(THE_BUS),
            serial: next(&mut self.serial),
            interactive: false,
        };
        self.ask(&head, &rule, until).map(drop)
    }

    fn ask<B: Serialize + DynamicType>(&mut self, head: &Head, body: &B, until: Instant) -> Result<Message, Error> {
        let call = head.call(body).map_err(|error| Error::deaf(&cause(&error)))?;
        let reply = self.exchange(Prepared { call, rest: None }, until).map_err(|failure| match failure {
            Failure::Unsent(cause) | Failure::Lost(cause) => Error::deaf(&cause),
            Failure::Late => Error::deaf("no answer"),
            Failure::NoMemory { .. } => Error::deaf(Errno::ENOMEM.desc()),
        })?;
        if reply.message_type() == Type::Error { Err(Error::from_reply(&reply)) } else { Ok(reply) }
    }

    /// Whether a signal says that the vault has left the bus. Anybody can send what looks like it, but only the bus as the bus.
    pub(crate) fn says_that_it_left(&self, signal: &Message) -> bool {
        let header = signal.header();
        if self.vault.is_none() || header.sender().is_none_or(|sender| sender.as_str() != THE_BUS) {
            return false;
        }
        let owners = signal.body().deserialize::<(String, String, String)>();
        owners.is_ok_and(|(name, old, _)| name == BUS_NAME && Some(old) == self.vault)
    }

    /// Waits for a signal; `None` when the time passes first.
    pub(crate) fn await_signal(&mut self, until: Instant) -> Result<Option<Message>, String> {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return Ok(Some(signal));
            }
            while let Some(message) = self.inbox.next().map_err(|error| cause(&error))? {
                self.heed(message).map_err(|error| cause(&error))?;
            }
            if !self.signals.is_empty() {
                continue;
            }
            // What is here already is taken also where nobody waits.
            match self.stream.receive_now(&mut self.inbox).map_err(|errno| errno.desc().to_owned())? {
                Some(0) => return Err("closed".to_owned()),
                Some(_) => continue,
                None => {}
            }
            let mut nothing = Sending { bytes: &[], is_begun: true, fds: Vec::new(), rest: None };
            match self.send_and_receive(&mut nothing, until) {
                Ok(Some(0)) => return Err("closed".to_owned()),
                Ok(_) => {}
                Err(Errno::ETIMEDOUT) => return Ok(None),
                Err(errno) => return Err(errno.desc().to_owned()),
            }
        }
    }

    /// Keeps a signal of the vault, answers what asks for it, and drops everything else.
    pub(super) fn heed(&mut self, message: Message) -> Result<(), zbus::Error> {
        if message.message_type() != Type::Signal {
            return self.answers.answer(&message, || next(&mut self.serial));
        }
        let is_ours = match (&self.vault, message.header().sender()) {
            (None, None) => true,
            (Some(vault), Some(sender)) => vault == sender.as_str() || sender.as_str() == THE_BUS,
            _ => false,
        };
        if is_ours {
            // The vault sends no more than it was told have been read.
            self.signals.try_reserve(1).map_err(|_| NoMemory.of::<zbus::Error>())?;
            self.signals.push_back(message);
        }
        Ok(())
    }
}
