//! Received bytes as a message.

use std::os::fd::OwnedFd;

use zbus::Message;
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

/// The byte order that a message begins by naming.
pub(crate) fn endian(bytes: &[u8]) -> Endian {
    if bytes.first() == Some(&b'B') { Endian::Big } else { Endian::Little }
}

/// Parses one whole message, whose header is checked here and whose body is checked as it is read.
///
/// # Errors
/// It is none, or came with fewer descriptors than it says.
pub(crate) fn parse(bytes: Vec<u8>, fds: Vec<OwnedFd>) -> Result<Message, zbus::Error> {
    let context = Context::new(endian(&bytes), 0);
    let data = Data::new_fds(bytes, context, fds);
    // SAFETY: it is unsafe because the bytes may be no valid message. No unchecked step follows from that: the header is
    // parsed and every name and string of it checked before there is a message, and reading the body checks it.
    unsafe { Message::from_bytes(data) }
}
