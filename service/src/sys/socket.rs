//! Bytes and descriptors over a Unix socket (`recvmsg(2)`, `sendmsg(2)`, `cmsg(3)`).

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// Most descriptors the kernel passes with one message (`SCM_MAX_FD`).
const MOST_DESCRIPTORS: usize = 253;

/// Bytes of a descriptor's number.
const NUMBER: usize = size_of::<RawFd>();

/// Where the kernel puts control data. What there is no room for, the kernel does not give out; and says so.
pub struct ControlRoom(Vec<u64>);

impl ControlRoom {
    /// Room for `descriptors`, at most as many as one message can carry.
    pub fn new(descriptors: usize) -> Self {
        let numbers = u32::try_from(descriptors.min(MOST_DESCRIPTORS) * NUMBER).unwrap_or_default();
        // SAFETY: computes a size from a size.
        let bytes = unsafe { libc::CMSG_SPACE(numbers) } as usize;
        // Words, because a header of control data wants their alignment.
        Self(vec![0; bytes.div_ceil(size_of::<u64>())])
    }
}

/// What was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes; 0 at the end.
    pub bytes: usize,
    /// Whether descriptors are missing: there was no room for them, or this process can have no more (`MSG_CTRUNC`).
    pub truncated: bool,
}

/// Receives what is there without waiting, and appends to `fds` every descriptor that came.
///
/// # Errors
/// `WouldBlock` when nothing is there.
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    room: &mut ControlRoom,
    fds: &mut impl Extend<OwnedFd>,
) -> io::Result<Received> {
    let mut slice = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a message header is numbers and pointers; all of them may be zero.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut slice;
    message.msg_iovlen = 1;
    message.msg_control = room.0.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(room.0.as_slice()) as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: the descriptor is open for the length of the call; the message points at one slice, and that at a buffer and
    // the room, which are exclusively ours, live through the call and have the lengths given.
    let count = Errno::result(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, flags) })?;
    take_descriptors(&message, fds);
    let bytes = usize::try_from(count).map_err(io::Error::other)?;
    Ok(Received { bytes, truncated: message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// Owns the descriptors in the control data of a message. Those that came are there also when some are missing, and nobody
/// else would ever close them.
fn take_descriptors(message: &libc::msghdr, fds: &mut impl Extend<OwnedFd>) {
    // SAFETY: the message was filled in by the kernel, and its control data is still there and aligned.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: what the kernel's list points at is a header in the control data, or nothing.
    while let Some(header) = unsafe { next.as_ref() } {
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: computes an offset.
            let data = unsafe { libc::CMSG_LEN(0) } as usize;
            // SAFETY: the header is in the control data, and what belongs to it begins behind it.
            let numbers = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
            let count = header.cmsg_len.saturating_sub(data) / NUMBER;
            fds.extend((0..count).map(|at| {
                // SAFETY: the kernel wrote as many numbers as the length of this header says.
                let number = unsafe { numbers.wrapping_add(at).read_unaligned() };
                // SAFETY: the kernel has just made this descriptor for this call; nothing else owns it.
                unsafe { OwnedFd::from_raw_fd(number) }
            }));
        }
        // SAFETY: both are of this message, which the kernel filled in.
        next = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// Sends what the socket takes without waiting and without a signal; descriptors go with the first byte.
///
/// # Errors
/// `WouldBlock` when the socket takes nothing now.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)?)
}

/// What the peer has not read yet, in bytes of the kernel's memory (`TIOCOUTQ`): more than was sent, and 0 when it has read
/// all or is gone. That this end was closed to both sides changes nothing about it.
///
/// # Errors
/// The descriptor is not a socket.
pub fn unread(socket: impl AsFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int to the address given, which is a live local.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    Errno::result(result)?;
    usize::try_from(count).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A pair with a message of `count` descriptors on its way; whoever has one of them keeps the reader from its end.
    fn sent(count: usize) -> (UnixStream, UnixStream) {
        let (there, here) = UnixStream::pair().unwrap();
        let (watch, carried) = UnixStream::pair().unwrap();
        assert_eq!(send(&there, b"x", &vec![carried.as_fd(); count]).unwrap(), 1);
        (here, watch)
    }

    fn received(socket: &UnixStream, room: usize) -> (Received, Vec<OwnedFd>) {
        let mut fds = Vec::new();
        let received = receive(socket, &mut [0; 16], &mut ControlRoom::new(room), &mut fds).unwrap();
        (received, fds)
    }

    #[test]
    fn every_descriptor_that_came_is_owned() {
        for count in [0, 1, 2, 7, 253] {
            let (here, _watch) = sent(count);
            let (received, fds) = received(&here, 253);
            assert_eq!((received, fds.len()), (Received { bytes: 1, truncated: false }, count));
        }
    }

    #[test]
    fn what_there_is_no_room_for_does_not_come_and_does_not_stay() {
        let (here, mut watch) = sent(253);
        let (received, fds) = received(&here, 2);
        assert_eq!((received, fds.len()), (Received { bytes: 1, truncated: true }, 2));
        drop(fds);
        assert_eq!(watch.read(&mut [0]).unwrap(), 0, "a descriptor is still open somewhere");
    }

    #[test]
    fn what_nobody_reads_is_known() {
        let (here, there) = UnixStream::pair().unwrap();
        assert_eq!(unread(&here).unwrap(), 0);
        send(&here, b"text", &[]).unwrap();
        let of_one = unread(&here).unwrap();
        assert!(of_one > 4);
        send(&here, b"text", &[]).unwrap();
        assert_eq!(unread(&here).unwrap(), 2 * of_one);
        here.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(unread(&here).unwrap(), 2 * of_one, "it is under way all the same");
        drop(there);
        assert_eq!(unread(&here).unwrap(), 0);
    }
}
