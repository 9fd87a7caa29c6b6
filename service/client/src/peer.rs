//! What is said to a peer that calls this client: a bus may, and waits for an answer.

use std::num::NonZeroU32;

use tokenvault_proto::memory::{self, NoMemory};
use zbus::Message;
use zbus::message::{Flags, Type};

/// Most bytes of answers that wait to be sent.
const MOST_BYTES: usize = 64 * 1024;

/// Answers that are not sent yet.
#[derive(Default)]
pub(crate) struct Answers {
    bytes: Vec<u8>,
}

impl Answers {
    /// What waits.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
    }

    /// Answers `message` if it is a call that wants an answer, which has the number that `serial` gives.
    ///
    /// # Errors
    /// The peer takes no answers and goes on calling, or there is no memory for this one.
    pub(crate) fn answer(&mut self, message: &Message, serial: impl FnOnce() -> NonZeroU32) -> Result<(), zbus::Error> {
        let head = message.primary_header();
        if head.msg_type() != Type::MethodCall || head.flags().contains(Flags::NO_REPLY_EXPECTED) {
            return Ok(());
        }
        let answer = answer_to(message, serial())?;
        if self.bytes.len() + answer.data().bytes().len() > MOST_BYTES {
            return Err(zbus::Error::ExcessData);
        }
        memory::more(&mut self.bytes, answer.data().bytes().len()).map_err(NoMemory::of::<zbus::Error>)?;
        self.bytes.extend_from_slice(answer.data().bytes());
        Ok(())
    }
}

/// A ping is answered; there is nothing else to call here.
fn answer_to(call: &Message, serial: NonZeroU32) -> Result<Message, zbus::Error> {
    let header = call.header();
    let interface = header.interface().map(|interface| interface.as_str());
    let member = header.member().map(|member| member.as_str());
    if interface == Some("org.freedesktop.DBus.Peer") && member == Some("Ping") {
        return Message::method_return(&header).serial(serial).build(&());
    }
    let error = Message::error(&header, "org.freedesktop.DBus.Error.UnknownMethod").serial(serial);
    error.build(&"this is a client; it has no methods")
}
