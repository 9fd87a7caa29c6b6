//! Bytes and descriptors over a Unix socket (`recvmsg(2)`, `sendmsg(2)`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// Most descriptors the kernel passes with one message (`SCM_MAX_FD`).
const MOST_DESCRIPTORS: usize = 253;

/// Where the kernel puts control data. Big enough that nothing is ever cut off, so no descriptor can go astray.
pub struct ControlRoom(Vec<u8>);

impl ControlRoom {
    /// Room for as many descriptors as one message can carry.
    pub fn new() -> Self {
        let mut room = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
        room.resize(room.capacity(), 0);
        Self(room)
    }
}

impl Default for ControlRoom {
    fn default() -> Self {
        Self::new()
    }
}

/// Receives what is there without waiting: the number of bytes (0 at the end), and every descriptor appended to `fds`.
///
/// # Errors
/// `WouldBlock` when nothing is there.
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    room: &mut ControlRoom,
    fds: &mut impl Extend<OwnedFd>,
) -> io::Result<usize> {
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &mut slices, Some(&mut room.0), flags)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just made these descriptors for this call; nothing else owns them.
            fds.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok(message.bytes)
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
