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

#[cfg(test)]
mod tests {
    use tokenvault_proto::TokenInfo;
    use zbus::Fd;

    use super::*;

    /// Looks at all of a message that this crate ever looks at.
    fn read(bytes: Vec<u8>, fds: Vec<OwnedFd>) {
        let Ok(message) = parse(bytes, fds) else { return };
        let header = message.header();
        let _ = (header.error_name().map(ToString::to_string), header.reply_serial(), header.unix_fds());
        let _ = (header.interface().map(ToString::to_string), header.member().map(ToString::to_string));
        let body = message.body();
        let _ = body.deserialize::<(Fd<'_>, TokenInfo)>().map(|(_, info)| info);
        let _ = body.deserialize::<&str>();
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_of_a_reply_is_survived() {
        let fd = || -> OwnedFd { std::io::pipe().unwrap().0.into() };
        let call = Message::method_call("/a", "B").build(&()).unwrap();
        let info = TokenInfo { name: "name".into(), expires: Some(7), ..TokenInfo::default() };
        let reply = Message::method_return(&call.header()).build(&(Fd::from(fd()), info)).unwrap();
        let refusal = Message::error(&call.header(), "a.b.C").build(&"what happened").unwrap();
        for message in [reply, refusal] {
            let bytes = message.data().bytes().to_vec();
            for len in 0..bytes.len() {
                read(bytes[..len].to_vec(), vec![fd()]);
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 9, b'B', b'a', b'g', b'v', 0x7F, 0xFF] {
                    let mut damaged = bytes.clone();
                    damaged[at] = value;
                    read(damaged, vec![fd()]);
                }
            }
        }
    }
}
