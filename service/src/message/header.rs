//! As much of a D-Bus message header as must be known before zbus sees the message (D-Bus specification, "Message
//! Format"). Bounded, without allocation, without trust.

use super::fields::{Fields, UNIX_FDS};

/// Largest message taken. The interface's own limits keep every honest request far below.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// Bytes that say how long a message is.
pub(crate) const PREFIX: usize = 16;

/// `NO_REPLY_EXPECTED` in the flags, which are the third byte.
const NO_REPLY: u8 = 1;

/// Not a message, or not one we take. Nothing can be said of what follows, so the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub(crate) struct Malformed(pub(super) &'static str);

impl From<Malformed> for std::io::Error {
    fn from(error: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}

/// What the first bytes of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Length of the whole message.
    pub(crate) len: usize,
    /// Whether it is a method call.
    pub(crate) is_call: bool,
    /// Whether its sender wants no reply.
    pub(crate) no_reply: bool,
    /// Its number.
    pub(crate) serial: u32,
    /// How its numbers are written.
    pub(crate) order: Order,
    /// Length of its array of fields.
    pub(crate) fields: usize,
}

/// The byte order of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// A number in that order.
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

impl Header {
    /// Reads the prefix of a message that may be taken; `None` while it is incomplete.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        match Self::measure(bytes)? {
            Some(header) if header.len > MOST_BYTES => Err(Malformed("larger than 256 KiB")),
            Some(_) if bytes.get(1) == Some(&0) => Err(Malformed("invalid message type")),
            Some(header) if header.serial == 0 => Err(Malformed("serial number 0")),
            header => Ok(header),
        }
    }

    /// Reads the prefix of a message of any length and kind, as far as it says where the message ends; `None` while it is
    /// incomplete.
    pub(crate) fn measure(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else { return Ok(None) };
        let [order, kind, flags, version, b0, b1, b2, b3, s0, s1, s2, s3, f0, f1, f2, f3] = *prefix;
        let order = match order {
            b'l' => Order::Little,
            b'B' => Order::Big,
            _ => return Err(Malformed("unknown byte order")),
        };
        if version != 1 {
            return Err(Malformed("unknown protocol version"));
        }
        let (body, serial) = (order.u32([b0, b1, b2, b3]), order.u32([s0, s1, s2, s3]));
        let fields = order.u32([f0, f1, f2, f3]);
        let len = usize::try_from(u64::from(fields).next_multiple_of(8) + u64::from(body)).unwrap_or(usize::MAX);
        let fields = usize::try_from(fields).map_err(|_| Malformed("header too large"))?;
        let len = len.saturating_add(PREFIX);
        Ok(Some(Self { len, is_call: kind == 1, no_reply: flags & NO_REPLY != 0, serial, order, fields }))
    }

    /// Where the body begins.
    pub(crate) const fn body_start(&self) -> usize {
        PREFIX.saturating_add(self.fields).next_multiple_of(8)
    }

    /// How many descriptors the message says it carries.
    pub(crate) fn descriptors(&self, message: &[u8]) -> Result<usize, Malformed> {
        let Some(value) = self.find(message, UNIX_FDS, b'u')? else { return Ok(0) };
        let count = self.order.u32(value.first_chunk().copied().ok_or(Malformed("truncated header"))?);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The value of a field; the first one, where zbus will find another and take neither.
    fn find<'a>(&self, message: &'a [u8], code: u8, kind: u8) -> Result<Option<&'a [u8]>, Malformed> {
        let mut fields = Fields::of(self);
        while let Some((at, _)) = fields.next_head() {
            let field = fields.step(message.get(at..).unwrap_or_default())?;
            if (field.code, field.kind) == (code, kind) {
                let value = message.get(field.start..).and_then(|rest| rest.get(..field.len));
                return value.map(Some).ok_or(Malformed("truncated header"));
            }
        }
        Ok(None)
    }
}

/// Makes a message ask for a reply.
pub(crate) fn expect_reply(message: &mut [u8]) {
    if let Some(flags) = message.get_mut(2) {
        *flags &= !NO_REPLY;
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use zbus::{Fd, Message};

    use super::super::called::Called;
    use super::*;

    fn prefix(order: u8, kind: u8, version: u8, body: u32, fields: u32) -> Vec<u8> {
        let mut bytes = vec![order, kind, 0, version];
        for number in [body, 7, fields] {
            bytes.extend(if order == b'B' { number.to_be_bytes() } else { number.to_le_bytes() });
        }
        bytes
    }

    #[test]
    fn real_messages_are_measured_and_their_descriptors_counted() {
        let stdin = std::io::stdin();
        let fd = || Fd::from(stdin.as_fd());
        let plain = Message::method_call("/a", "B").interface("c.d").build(&("text", 5_u64)).unwrap();
        let two = Message::method_call("/a", "B").build(&(fd(), "x", fd())).unwrap();
        for (message, count) in [(plain, 0), (two, 2)] {
            let bytes = message.data().bytes();
            let header = Header::read(bytes).unwrap().unwrap();
            assert_eq!(header.len, bytes.len());
            assert_eq!(header.serial, message.primary_header().serial_num().get());
            assert!(header.is_call && !header.no_reply);
            assert_eq!(header.descriptors(bytes).unwrap(), count);
        }
    }

    #[test]
    fn a_message_that_claims_too_much_is_refused_by_its_prefix() {
        let most = u32::try_from(MOST_BYTES - PREFIX).unwrap();
        assert!(Header::read(&prefix(b'l', 1, 1, most, 0)).is_ok());
        assert!(Header::read(&prefix(b'B', 1, 1, most, 0)).is_ok());
        for (body, fields) in [(most + 1, 0), (0, most + 1), (128 * 1024 * 1024, 0), (u32::MAX, u32::MAX)] {
            assert_eq!(Header::read(&prefix(b'l', 1, 1, body, fields)), Err(Malformed("larger than 256 KiB")));
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert!(Header::read(&prefix(b'x', 1, 1, 0, 0)).is_err());
        assert!(Header::read(&prefix(b'l', 0, 1, 0, 0)).is_err());
        assert!(Header::read(&prefix(b'l', 1, 2, 0, 0)).is_err());
        assert_eq!(Header::read(&prefix(b'l', 1, 1, 0, 0)[..15]), Ok(None));
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_of_a_header_is_survived() {
        let stdin = std::io::stdin();
        let message = Message::method_call("/a/b", "C").build(&(Fd::from(stdin.as_fd()), "x")).unwrap();
        let bytes = message.data().bytes().to_vec();
        let header = Header::read(&bytes).unwrap().unwrap();
        for len in PREFIX..bytes.len() {
            let _ = (header.descriptors(&bytes[..len]), Called::read(&header, &bytes[..len]));
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 9, b'g', b's', b'u', b'v', 0x7F, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(Some(header)) = Header::read(&damaged) {
                    let _ = (header.descriptors(&damaged), Called::read(&header, &damaged));
                }
            }
        }
    }
}
