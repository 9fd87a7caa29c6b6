//! One call from beginning to end: connect if need be, send, repeat what may be repeated, decode.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokenvault_proto::memory::{self, NoMemory};
use tokenvault_proto::{Rows, Taken};
use zbus::message::{Body, Type};
use zbus::{DynamicType, Fd, Message};

use crate::client::{Client, Turn};
use crate::connection::{Connection, Failure, Prepared};
use crate::error::Error;
use crate::head::{Head, MESSAGE_BYTES_MAX};
use crate::method::Method;
use crate::pipe;

impl Client {
    /// A call whose arguments and results are all in the message.
    pub(crate) fn call<B, R>(&self, method: &Method, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        decode(method, &self.ask(method, self.until(method), body)?)
    }

    /// As [`Client::call`], for one that answers with a list.
    pub(crate) fn call_rows<B, R>(&self, method: &Method, body: &B) -> Result<Vec<R>, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let Rows(rows) = self.call(method, body)?;
        Ok(rows)
    }

    /// As [`Client::call`], for one that answers with a page of a list, and where the next begins.
    pub(crate) fn call_page<B, R>(&self, method: &Method, body: &B) -> Result<(Vec<R>, String), Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let (Rows(rows), Taken(next)) = self.call(method, body)?;
        Ok((rows, next))
    }

    /// As [`Client::call`], for one that has something left to do before its deadline; the reply is still to be decoded.
    pub(crate) fn ask<B>(&self, method: &Method, until: Instant, body: &B) -> Result<Body, Error>
    where
        B: Serialize + DynamicType,
    {
        self.exchange(method, until, &|head| prepare(head, body, None))
    }

    /// A call that hands over `value` by pipe; `body` puts the pipe in its place among the arguments.
    pub(crate) fn call_with_value<'f, B, R>(
        &self,
        method: &Method,
        value: &[u8],
        body: impl Fn(Fd<'static>) -> B,
    ) -> Result<R, Error>
    where
        B: Serialize + DynamicType + 'f,
        R: DeserializeOwned + zbus::Type,
    {
        let reply = self.exchange(method, self.until(method), &|head| {
            let outgoing = pipe::send(value)?;
            prepare(head, &body(Fd::from(outgoing.read)), outgoing.rest)
        })?;
        decode(method, &reply)
    }

    /// The same with two values that each fit any pipe.
    pub(crate) fn call_with_two_values<B, R>(
        &self,
        method: &Method,
        [first, second]: [&[u8]; 2],
        body: impl Fn(Fd<'static>, Fd<'static>) -> B,
    ) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let reply = self.exchange(method, self.until(method), &|head| {
            let (first, second) = (pipe::send_whole(first)?, pipe::send_whole(second)?);
            prepare(head, &body(Fd::from(first), Fd::from(second)), None)
        })?;
        decode(method, &reply)
    }

    /// A call that hands over a descriptor.
    pub(crate) fn call_with_descriptor<B, R>(
        &self,
        method: &Method,
        descriptor: BorrowedFd<'_>,
        body: impl Fn(Fd<'static>) -> B,
    ) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let reply = self.exchange(method, self.until(method), &|head| {
            let copy = descriptor.try_clone_to_owned().map_err(|error| Error::local("pass the descriptor", &error))?;
            prepare(head, &body(Fd::from(copy)), None)
        })?;
        decode(method, &reply)
    }

    /// A call that hands over a descriptor and a small value.
    pub(crate) fn call_with_descriptor_and_value<B, R>(
        &self,
        method: &Method,
        descriptor: BorrowedFd<'_>,
        value: &[u8],
        body: impl Fn(Fd<'static>, Fd<'static>) -> B,
    ) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let reply = self.exchange(method, self.until(method), &|head| {
            let copy = descriptor.try_clone_to_owned().map_err(|error| Error::local("pass the descriptor", &error))?;
            prepare(head, &body(Fd::from(copy), Fd::from(pipe::send_whole(value)?)), None)
        })?;
        decode(method, &reply)
    }

    /// Sends what `prepare` makes and returns what the reply carries. It is made anew for the second attempt.
    fn exchange<'v>(
        &self,
        method: &Method,
        until: Instant,
        prepare: &dyn Fn(Head) -> Result<Prepared<'v>, Error>,
    ) -> Result<Body, Error> {
        let queued = || Error::queued(method.member, self.deadline_of(method));
        let mut turn = self.take_turn(until)?.ok_or_else(queued)?;
        if Instant::now() >= until {
            return Err(queued());
        }
        let first = self.attempt(method, until, &mut turn, prepare)?;
        let again = match &first {
            Ok(_) | Err(Failure::Late | Failure::NoMemory { .. }) => false,
            Err(Failure::Unsent(_)) => true,
            Err(Failure::Lost(_)) => method.repeatable,
        };
        let outcome = if again { self.attempt(method, until, &mut turn, prepare)? } else { first };
        let reply = outcome.map_err(|failure| self.explain(method, failure))?;
        if reply.message_type() == Type::Error { Err(Error::from_reply(&reply)) } else { Ok(reply.body()) }
    }

    /// One attempt on the kept connection or a fresh one, which is kept only when it served.
    fn attempt<'v>(
        &self,
        method: &Method,
        until: Instant,
        turn: &mut Turn<'_>,
        prepare: &dyn Fn(Head) -> Result<Prepared<'v>, Error>,
    ) -> Result<Result<Message, Failure>, Error> {
        // The caller's own texts may have taken what there was.
        memory::room()?;
        let mut connection = match turn.thing.take() {
            Some(connection) => connection,
            None => Box::new(self.connect(until)?),
        };
        let outcome = prepare(connection.head(method)).map(|call| connection.exchange(call, until));
        // After a deadline the stream may hold half a message or a late reply: it is not trusted again.
        if !matches!(outcome, Ok(Err(_))) {
            turn.thing = Some(connection);
        }
        outcome
    }

    fn explain(&self, method: &Method, failure: Failure) -> Error {
        match failure {
            Failure::Unsent(cause) => Error::unsent(&cause),
            Failure::Lost(cause) => Error::lost(method.member, &cause, method.repeatable),
            Failure::Late => Error::late(method.member, self.deadline_of(method), method.repeatable),
            Failure::NoMemory { is_sent: true } => Error::no_memory_for_answer(method.repeatable),
            Failure::NoMemory { is_sent: false } => NoMemory.into(),
        }
    }
}

/// Has a connection ask something outside of a client's turns; the whole reply.
pub(crate) fn ask_on<B>(
    connection: &mut Connection,
    (method, deadline): (&Method, Duration),
    body: &B,
) -> Result<Message, Error>
where
    B: Serialize + DynamicType,
{
    let call = prepare(connection.head(method), body, None)?;
    let reply = connection.exchange(call, Instant::now() + deadline).map_err(|failure| match failure {
        Failure::Unsent(cause) => Error::unsent(&cause),
        Failure::Lost(cause) => Error::lost(method.member, &cause, method.repeatable),
        Failure::Late => Error::late(method.member, deadline, method.repeatable),
        Failure::NoMemory { is_sent: true } => Error::no_memory_for_answer(method.repeatable),
        Failure::NoMemory { is_sent: false } => NoMemory.into(),
    })?;
    if reply.message_type() == Type::Error { Err(Error::from_reply(&reply)) } else { Ok(reply) }
}

/// Builds the message. What cannot be encoded is the caller's mistake.
fn prepare<'v, B>(head: Head, body: &B, rest: Option<pipe::Rest<'v>>) -> Result<Prepared<'v>, Error>
where
    B: Serialize + DynamicType,
{
    let call = head.call(body).map_err(|error| match error {
        error if NoMemory::is_in(&error) => NoMemory.into(),
        // No descriptor is left for the pipe.
        zbus::Error::InputOutput(error) => Error::local("send the value", &error),
        zbus::Error::ExcessData => too_long(&head, body),
        error => Error::invalid(format!("the name or an option cannot be sent: {error}")),
    })?;
    Ok(Prepared { call, rest })
}

/// The daemon would hang up, which would read like a fault of its own.
fn too_long<B: Serialize + DynamicType>(head: &Head, body: &B) -> Error {
    let len = head.measure(body).unwrap_or(usize::MAX);
    Error::invalid(format!("the name and options take {len} bytes; {MESSAGE_BYTES_MAX} can be sent"))
}

/// What a reply says. It may borrow from the reply.
pub(crate) fn decode<'r, R>(method: &Method, reply: &'r Body) -> Result<R, Error>
where
    R: Deserialize<'r> + zbus::Type,
{
    reply.deserialize::<R>().map_err(|error| Error::unread(method.member, method.repeatable, &error))
}
