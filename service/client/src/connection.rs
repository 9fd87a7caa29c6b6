//! One connection to one door: opened, then one call at a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Instant;

use futures_core::Stream;
use nix::errno::Errno;
use tokenvault_proto::{Address, BUS_NAME, OBJECT_PATH};
use zbus::address::Transport;
use zbus::address::transport::{Unix, UnixSocket};
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Message, MessageStream, message};

use crate::address;
use crate::error::Error;
use crate::method::Method;
use crate::pipe::Rest;

/// An open door.
pub(crate) struct Connection {
    wire: zbus::Connection,
    /// On a bus the vault has a name; at its own socket it is the only one there.
    destination: Option<&'static str>,
}

/// A call, ready to be sent.
pub(crate) struct Prepared<'v> {
    pub(crate) message: Message,
    /// What is still to be written of the value that goes with it.
    pub(crate) rest: Option<Rest<'v>>,
}

/// Why there is no reply.
pub(crate) enum Failure {
    /// The daemon never had the whole message: nothing was done.
    Unsent(zbus::Error),
    /// The daemon may have had it.
    Lost(String),
    /// The deadline passed first.
    Late,
}

impl Connection {
    /// Opens the first of `doors` that can be opened.
    pub(crate) async fn open(doors: &[Address], until: Instant) -> Result<Self, Error> {
        let mut tried = String::new();
        for door in doors {
            let cause = match tokio::time::timeout_at(until.into(), Self::open_door(door)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => cause(&error),
                Err(_) => "no answer".to_owned(),
            };
            let and = if tried.is_empty() { "" } else { ", nor at " };
            tried.push_str(&format!("{and}{} ({cause})", address::describe(door)));
        }
        Err(Error::unreachable(&tried))
    }

    async fn open_door(door: &Address) -> Result<Self, zbus::Error> {
        let (builder, destination) = match door {
            Address::Socket(path) => {
                let transport = Transport::Unix(Unix::new(UnixSocket::File(path.clone())));
                (Builder::address(zbus::Address::new(transport)).p2p(), None)
            }
            Address::Bus(bus) => (Builder::address(bus.as_str()), Some(BUS_NAME)),
            Address::SystemBus => (Builder::address(address::system_bus().as_str()), Some(BUS_NAME)),
        };
        Ok(Self { wire: builder.build().await?, destination })
    }

    /// Whether nothing has gone wrong with it so far. A peer that went away meanwhile shows only when a call is sent.
    pub(crate) fn is_open(&self) -> bool {
        !self.wire.is_closed()
    }

    /// The head of a call through this door.
    pub(crate) fn message(&self, method: &Method) -> message::Builder<'static> {
        let head = Message::method_call(OBJECT_PATH, method.member).interface(method.interface);
        match self.destination {
            Some(name) => head.destination(name),
            None => head,
        }
    }

    /// Sends a call and waits for its reply, be it a result or an error.
    pub(crate) async fn exchange(&self, call: Prepared<'_>, until: Instant) -> Result<Message, Failure> {
        tokio::time::timeout_at(until.into(), self.send_and_wait(call)).await.unwrap_or(Err(Failure::Late))
    }

    /// The message, and with it the read end of a value's pipe, is kept until the reply: see [`Rest::feed`].
    async fn send_and_wait(&self, call: Prepared<'_>) -> Result<Message, Failure> {
        let Prepared { message, rest } = call;
        let mut incoming = MessageStream::from(&self.wire);
        // A message is acted on when its last byte is there, so a send that fails was never acted on.
        self.wire.send(&message).await.map_err(Failure::Unsent)?;
        let reply = reply_to(&mut incoming, &message);
        let Some(rest) = rest else {
            return reply.await;
        };
        tokio::pin!(reply);
        tokio::select! {
            reply = &mut reply => return reply,
            fed = rest.feed() => fed.map_err(|error| Failure::Lost(error.to_string()))?,
        }
        reply.await
    }
}

/// The reply among what comes in.
async fn reply_to(incoming: &mut MessageStream, call: &Message) -> Result<Message, Failure> {
    let serial = Some(call.primary_header().serial_num());
    loop {
        match poll_fn(|context| Pin::new(&mut *incoming).poll_next(context)).await {
            Some(Ok(message)) => {
                let is_reply = matches!(message.message_type(), Type::MethodReturn | Type::Error);
                if is_reply && message.header().reply_serial() == serial {
                    return Ok(message);
                }
            }
            Some(Err(error)) => return Err(Failure::Lost(cause(&error))),
            None => return Err(Failure::Lost("closed".to_owned())),
        }
    }
}

/// The innermost reason; the layers above only repeat what the caller knows.
pub(crate) fn cause(error: &zbus::Error) -> String {
    match error {
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => match error.raw_os_error() {
            // Without the number that std puts behind it.
            Some(number) => Errno::from_raw(number).desc().to_owned(),
            None => error.to_string(),
        },
        other => other.to_string(),
    }
}
