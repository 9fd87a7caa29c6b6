//! One call from beginning to end: connect if need be, send, repeat what may be repeated, decode.

use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::message::{Builder, Type};
use zbus::{DynamicType, Fd, Message};

use crate::client::{Client, Driver};
use crate::connection::{self, Connection, Failure, Prepared};
use crate::error::Error;
use crate::method::Method;
use crate::pipe;

/// The longest call that is sent. The daemon hangs up on longer ones, which would read like a fault of its own.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

impl Client {
    /// A call whose arguments and results are all in the message.
    pub(crate) fn call<B, R>(&self, method: &Method, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        self.call_until(method, self.until(method), body)
    }

    /// As [`Client::call`], for one that has something left to do before its deadline.
    pub(crate) fn call_until<B, R>(&self, method: &Method, until: Instant, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + zbus::Type,
    {
        let reply = self.exchange(method, until, &|head| prepare(head, body, None))?;
        decode(method, &reply)
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

    /// Sends what `prepare` makes and returns the reply. It is made anew for the second attempt.
    fn exchange<'v>(
        &self,
        method: &Method,
        until: Instant,
        prepare: &dyn Fn(Builder<'static>) -> Result<Prepared<'v>, Error>,
    ) -> Result<Message, Error> {
        self.with_driver(|driver| {
            if Instant::now() >= until {
                return Err(Error::queued(method.member, self.deadline_of(method)));
            }
            let Driver { runtime, connection } = driver;
            runtime.block_on(async {
                let first = self.attempt(method, until, connection, prepare).await?;
                let again = match &first {
                    Ok(_) | Err(Failure::Late) => false,
                    Err(Failure::Unsent(_)) => true,
                    Err(Failure::Lost(_)) => method.repeatable,
                };
                let outcome = if again { self.attempt(method, until, connection, prepare).await? } else { first };
                outcome.map_err(|failure| self.explain(method, failure))
            })
        })
    }

    /// One attempt on the kept connection or a fresh one, which is kept only when it served.
    async fn attempt<'v>(
        &self,
        method: &Method,
        until: Instant,
        kept: &mut Option<Connection>,
        prepare: &dyn Fn(Builder<'static>) -> Result<Prepared<'v>, Error>,
    ) -> Result<Result<Message, Failure>, Error> {
        let connection = match kept.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.connect(until).await?,
        };
        let outcome = match prepare(connection.message(method)) {
            Ok(call) => Ok(connection.exchange(call, until).await),
            Err(error) => Err(error),
        };
        // After a deadline the stream may hold half a message or a late reply: it is not trusted again.
        if !matches!(outcome, Ok(Err(_))) {
            *kept = Some(connection);
        }
        outcome
    }

    fn explain(&self, method: &Method, failure: Failure) -> Error {
        match failure {
            Failure::Unsent(cause) => Error::unsent(&connection::cause(&cause)),
            Failure::Lost(cause) => Error::lost(method.member, &cause, method.repeatable),
            Failure::Late => Error::late(method.member, self.deadline_of(method), method.repeatable),
        }
    }
}

/// Builds the message. What cannot be encoded is the caller's mistake; a string with a zero byte is found only by reading
/// the message again, and sent all the same it would end the connection.
fn prepare<'v, B>(head: Builder<'static>, body: &B, rest: Option<pipe::Rest<'v>>) -> Result<Prepared<'v>, Error>
where
    B: Serialize + DynamicType,
{
    let refused = |error| Error::invalid(format!("the name or an option cannot be sent: {error}"));
    let message = head.build(body).map_err(refused)?;
    message.body().validate().map_err(refused)?;
    let len = message.data().bytes().len();
    if len > MESSAGE_BYTES_MAX {
        let text = format!("the name and options take {len} bytes; {MESSAGE_BYTES_MAX} can be sent");
        return Err(Error::invalid(text));
    }
    Ok(Prepared { message, rest })
}

fn decode<R>(method: &Method, reply: &Message) -> Result<R, Error>
where
    R: DeserializeOwned + zbus::Type,
{
    if reply.message_type() == Type::Error {
        return Err(Error::from_reply(reply));
    }
    reply.body().deserialize::<R>().map_err(|error| Error::malformed(method.member, &error))
}
