//! D-Bus messages and lines made by hand, as those make them who keep to nothing (D-Bus Specification, "Message Format").

use std::io::{IoSlice, Result};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// The end of what a client says of itself.
pub const BEGIN: &[u8] = b"BEGIN\r\n";
/// What a server says to that.
pub const GREETING: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

/// What an answer is.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// A reply of this signature, which says that it brings so many descriptors.
    Return(&'a [u8], u32),
    /// An error.
    Error,
}

/// A message that answers the call with this number.
pub fn reply(serial: [u8; 4], answer: Answer<'_>, arguments: &[u8]) -> Vec<u8> {
    let mut fields = [&[5, 1, b'u', 0][..], &serial].concat();
    let (kind, signature, fds) = match answer {
        Answer::Return(signature, fds) => (2, signature, fds),
        Answer::Error => {
            let name = b"org.tokenvault1.Error.NotFound";
            fields.extend([&[4, 1, b's', 0][..], &(name.len() as u32).to_le_bytes(), name, &[0]].concat());
            (3, &b"s"[..], 0)
        }
    };
    align(&mut fields);
    fields.extend([&[8, 1, b'g', 0, signature.len() as u8][..], signature, &[0]].concat());
    if fds > 0 {
        align(&mut fields);
        fields.extend([&[9, 1, b'u', 0][..], &fds.to_le_bytes()].concat());
    }
    let (body, len) = ((arguments.len() as u32).to_le_bytes(), (fields.len() as u32).to_le_bytes());
    let mut message = [&[b'l', kind, 0, 1][..], &body, &1_u32.to_le_bytes(), &len, &fields].concat();
    align(&mut message);
    message.extend(arguments);
    message
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Sends what the socket takes, with descriptors.
///
/// # Errors
/// The kernel's.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[OwnedFd]) -> Result<usize> {
    let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
    let parts = [IoSlice::new(bytes)];
    let sent = sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None);
    sent.map_err(|errno: Errno| errno.into())
}

/// Read ends of so many pipes that hold these bytes and are closed for writing.
pub fn pipes(count: usize, bytes: &[u8]) -> Vec<OwnedFd> {
    let pipe = |_| {
        let (read, mut write) = std::io::pipe().expect("a pipe");
        std::io::Write::write_all(&mut write, bytes.get(..4096).unwrap_or(bytes)).expect("it fits");
        read.into()
    };
    (0..count).map(pipe).collect()
}

/// Whether these bytes are whole messages that answer something, one behind the other. They are in the order of bytes of
/// what they answer.
pub fn are_answers(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let [order, 2 | 3, _, 1, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3, rest @ ..] = bytes else { return false };
        let number = match order {
            b'l' => u32::from_le_bytes,
            b'B' => u32::from_be_bytes,
            _ => return false,
        };
        let (body, fields) = (number([*b0, *b1, *b2, *b3]), number([*f0, *f1, *f2, *f3]));
        let Some(behind) = rest.get(fields.next_multiple_of(8) as usize + body as usize..) else { return false };
        bytes = behind;
    }
    true
}
