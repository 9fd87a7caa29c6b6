//! A reply as its bytes.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use zbus::Message;

use super::Call;
use crate::caller::InFlight;
use crate::message::fields::{DESTINATION, REPLY_SERIAL, SIGNATURE, UNIX_FDS};
use crate::message::refusal::{self, Cause};

/// Bytes a head takes beside the name it is sent to.
const HEAD: usize = 64;
/// Where the header says how long its fields are, and where these begin.
const FIELDS_LEN: usize = 12;
const FIELDS: usize = FIELDS_LEN + 4;

/// Replies made here have numbers with the highest bit set: zbus counts those that it makes from 1.
const HIGHEST: u32 = 1 << 31;
static REPLIES: AtomicU32 = AtomicU32::new(0);

/// A reply that is ready to be sent, with a value's pipe where it hands one out.
pub struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// The read end of the pipe.
    pub(crate) value: Option<OwnedFd>,
    /// Number of the call it answers, and on a bus who called.
    call: NonZeroU32,
    caller: Option<Box<str>>,
    /// Given back when the reply is written, or cannot be.
    _in_flight: InFlight,
}

impl Reply {
    /// The reply to `call`, as its bytes: with `body`, the encoded number of the value's pipe, which is 0, and a dictionary.
    pub fn encode(call: &Call<'_>, body: &[u8]) -> Option<Vec<u8>> {
        encode(call, "ha{sv}", 1, body)
    }

    /// The same of a reply without a value: with `body`, encoded values of this signature.
    pub fn encode_plain(call: &Call<'_>, signature: &str, body: &[u8]) -> Option<Vec<u8>> {
        encode(call, signature, 0, body)
    }

    /// The reply to `call` of these bytes.
    pub fn new(call: &Call<'_>, bytes: Vec<u8>, value: OwnedFd, in_flight: InFlight) -> Self {
        Self { value: Some(value), ..Self::plain(call, bytes, in_flight) }
    }

    /// The same without a value.
    pub fn plain(call: &Call<'_>, bytes: Vec<u8>, in_flight: InFlight) -> Self {
        let caller = call.sender().map(Into::into);
        Self { bytes, value: None, call: call.serial, caller, _in_flight: in_flight }
    }

    /// What goes out in its place when it cannot.
    pub(crate) fn refusal(&self, cause: Cause) -> io::Result<Message> {
        refusal::instead(self.call, self.caller.as_deref(), cause)
    }
}

fn encode(call: &Call<'_>, signature: &str, fds: u32, body: &[u8]) -> Option<Vec<u8>> {
    let caller = call.sender();
    let mut bytes = Vec::with_capacity(HEAD + caller.map_or(0, str::len) + body.len());
    // A method return in little-endian order, of version 1 of the protocol.
    bytes.extend_from_slice(&[b'l', 2, 0, 1]);
    bytes.extend_from_slice(&len(body)?);
    let serial = REPLIES.fetch_add(1, Ordering::Relaxed) | HIGHEST;
    bytes.extend_from_slice(&serial.to_le_bytes());
    bytes.extend_from_slice(&[0; FIELDS - FIELDS_LEN]);
    // Which call it answers, what it holds, how many descriptors come with it.
    begin_field(&mut bytes, REPLY_SERIAL, b'u');
    bytes.extend_from_slice(&call.serial.get().to_le_bytes());
    begin_field(&mut bytes, SIGNATURE, b'g');
    bytes.push(u8::try_from(signature.len()).ok()?);
    bytes.extend_from_slice(signature.as_bytes());
    bytes.push(0);
    if fds > 0 {
        begin_field(&mut bytes, UNIX_FDS, b'u');
        bytes.extend_from_slice(&fds.to_le_bytes());
    }
    if let Some(caller) = caller {
        begin_field(&mut bytes, DESTINATION, b's');
        bytes.extend_from_slice(&len(caller.as_bytes())?);
        bytes.extend_from_slice(caller.as_bytes());
        bytes.push(0);
    }
    let fields = len(bytes.get(FIELDS..)?)?;
    bytes.get_mut(FIELDS_LEN..FIELDS)?.copy_from_slice(&fields);
    align(&mut bytes);
    bytes.extend_from_slice(body);
    Some(bytes)
}

/// Each field begins at a multiple of eight bytes.
fn begin_field(bytes: &mut Vec<u8>, code: u8, kind: u8) {
    align(bytes);
    bytes.extend_from_slice(&[code, 1, kind, 0]);
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

fn len(bytes: &[u8]) -> Option<[u8; 4]> {
    u32::try_from(bytes.len()).ok().map(u32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use zbus::connection::socket::ReadHalf;
    use zbus::export::async_trait::async_trait;
    use zbus::message::Type;

    use super::*;
    use crate::caller::Limiter;
    use crate::message::header::Header;

    /// Bytes that come in, with one descriptor.
    #[derive(Debug)]
    struct Incoming(Vec<u8>, Option<OwnedFd>);

    #[async_trait]
    impl ReadHalf for Incoming {
        async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
            let count = buffer.len().min(self.0.len());
            for (to, from) in buffer.iter_mut().zip(self.0.drain(..count)) {
                *to = from;
            }
            Ok((count, self.1.take().into_iter().collect()))
        }
    }

    /// The reply to a call, as zbus reads it, which checks all of it.
    async fn reply_to(call: &Message, body: &[u8]) -> Message {
        let bytes = call.data().bytes();
        let call = Call::read(&Header::measure(bytes).unwrap().unwrap(), bytes).unwrap();
        let in_flight = Limiter::default().enter(7).unwrap();
        let bytes = Reply::encode(&call, body).unwrap();
        let reply = Reply::new(&call, bytes, io::pipe().unwrap().0.into(), in_flight);
        let mut incoming = Incoming(reply.bytes, reply.value);
        incoming.receive_message(0, &mut Vec::new(), &mut Vec::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_reply_is_what_zbus_would_have_made() {
        let dictionary = std::collections::BTreeMap::from([("name", zbus::Variant::from("prod"))]);
        for sender in [None, Some(":1.7"), Some(":1.77777")] {
            let call = Message::method_call("/a", "Get").interface("b.c").serial(77.try_into().unwrap());
            let call = sender.into_iter().fold(call, zbus::message::Builder::sender).build(&("a", 1_u8)).unwrap();
            let pipe = io::pipe().unwrap().0;
            let made =
                Message::method_return(&call.header()).build(&(zbus::Fd::from(pipe.as_fd()), &dictionary)).unwrap();
            let reply = reply_to(&call, made.body().data().bytes()).await;
            assert_eq!(reply.message_type(), Type::MethodReturn);
            assert_eq!(reply.primary_header().flags(), made.primary_header().flags());
            let (ours, theirs) = (reply.header(), made.header());
            assert_eq!(ours.reply_serial(), theirs.reply_serial());
            assert_eq!(ours.destination(), theirs.destination());
            assert_eq!(ours.unix_fds(), theirs.unix_fds());
            assert_eq!(reply.body().signature(), made.body().signature());
            assert_eq!(reply.body().data().bytes(), made.body().data().bytes());
            assert_eq!(reply.data().fds().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_reply_without_a_value_is_too() {
        for sender in [None, Some(":1.7"), Some(":1.77777")] {
            for text in ["", "valid"] {
                let call = Message::method_call("/a", "Get").interface("b.c").serial(77.try_into().unwrap());
                let call = sender.into_iter().fold(call, zbus::message::Builder::sender).build(&("a", 1_u8)).unwrap();
                let made = Message::method_return(&call.header()).build(&(true, text)).unwrap();
                let bytes = call.data().bytes();
                let read = Call::read(&Header::measure(bytes).unwrap().unwrap(), bytes).unwrap();
                let bytes = Reply::encode_plain(&read, "bs", made.body().data().bytes()).unwrap();
                let reply = Reply::plain(&read, bytes, Limiter::default().enter(7).unwrap());
                let mut incoming = Incoming(reply.bytes, reply.value);
                let reply = incoming.receive_message(0, &mut Vec::new(), &mut Vec::new()).await.unwrap();
                let (ours, theirs) = (reply.header(), made.header());
                assert_eq!((ours.reply_serial(), ours.unix_fds()), (theirs.reply_serial(), theirs.unix_fds()));
                assert_eq!(ours.destination(), theirs.destination());
                assert_eq!(reply.body().signature(), made.body().signature());
                assert_eq!(reply.body().deserialize::<(bool, &str)>().unwrap(), (true, text));
            }
        }
    }

    #[tokio::test]
    async fn no_two_replies_have_one_number_and_none_has_one_of_zbus() {
        let call = Message::method_call("/a", "Get").build(&()).unwrap();
        let serial = |message: &Message| message.primary_header().serial_num().get();
        let (first, second) = (reply_to(&call, &[]).await, reply_to(&call, &[]).await);
        assert_ne!(serial(&first), serial(&second));
        assert!(serial(&first) >= HIGHEST && serial(&second) >= HIGHEST && serial(&call) < HIGHEST);
    }

    #[tokio::test]
    async fn what_stands_for_a_reply_answers_the_same_call() {
        let call = Message::method_call("/a", "Get").sender(":1.7").serial(77.try_into().unwrap()).build(&()).unwrap();
        let bytes = call.data().bytes();
        let call = Call::read(&Header::measure(bytes).unwrap().unwrap(), bytes).unwrap();
        let bytes = Reply::encode(&call, &[]).unwrap();
        let reply = Reply::new(&call, bytes, io::pipe().unwrap().0.into(), Limiter::default().enter(7).unwrap());
        let refusal = reply.refusal(Cause::TooManyDescriptors).unwrap();
        assert_eq!(refusal.header().reply_serial(), NonZeroU32::new(77));
        assert_eq!(refusal.header().destination().unwrap().as_str(), ":1.7");
    }
}
