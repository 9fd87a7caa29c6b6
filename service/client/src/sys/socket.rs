//! Bytes and descriptors over a Unix socket (`recvmsg(2)`, `sendmsg(2)`).

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_int, cmsghdr, msghdr};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

/// Most descriptors that one message may bring; what buses let pass.
pub(crate) const MOST_DESCRIPTORS: usize = 16;

/// What a header and the numbers of so many descriptors take.
// SAFETY: only calculates.
const ROOM: usize = unsafe { libc::CMSG_SPACE((MOST_DESCRIPTORS * size_of::<RawFd>()) as u32) } as usize;
/// Where the kernel puts them, aligned as a header must be.
type Room = [u64; ROOM.div_ceil(size_of::<u64>())];

/// Receives the bytes that are there, 0 at the end of the stream, and appends every descriptor that came with them to `fds`.
///
/// # Errors
/// `EAGAIN` when nothing is there, `EMFILE` when descriptors got lost: more than a message may bring, or more than this
/// process can take.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8], fds: &mut VecDeque<OwnedFd>) -> Result<usize, Errno> {
    let mut room: Room = [0; _];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = empty();
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = room.as_mut_ptr().cast();
    message.msg_controllen = ROOM as _;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call; the header points to one part and to room for control
    // data, both live locals or parameters with the lengths it says.
    let count = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT) };
    let count = Errno::result(count)?;
    take_descriptors(&message, fds);
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(Errno::EMFILE);
    }
    Ok(count.unsigned_abs())
}

fn empty() -> msghdr {
    // SAFETY: null pointers and zeros are a valid header of nothing.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Takes over the descriptors of a header that the kernel has just filled in.
fn take_descriptors(message: &msghdr, fds: &mut VecDeque<OwnedFd>) {
    // SAFETY: the kernel says by `msg_controllen` how much of the room it filled.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(ptr::from_ref(message)) };
    // SAFETY: NULL, or within the room and aligned.
    while let Some(header) = unsafe { control.as_ref() } {
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: what follows this header.
            let numbers = unsafe { libc::CMSG_DATA(control) }.cast::<c_int>();
            let count = header.cmsg_len.saturating_sub(size_of::<cmsghdr>()) / size_of::<c_int>();
            // SAFETY: the header says that so many numbers follow it, aligned as it is itself.
            let numbers = unsafe { std::slice::from_raw_parts(numbers, count) };
            // SAFETY: the kernel has just made these descriptors for this call; nothing else owns them.
            fds.extend(numbers.iter().map(|number| unsafe { OwnedFd::from_raw_fd(*number) }));
        }
        // SAFETY: `control` is within the room of this header.
        control = unsafe { libc::CMSG_NXTHDR(ptr::from_ref(message), control) };
    }
}

/// Sends what the socket takes without waiting and without a signal; descriptors go with the first byte. How much; 0 when
/// it takes nothing now.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fds: &[RawFd]) -> Result<usize, Errno> {
    let rights = [ControlMessage::ScmRights(fds)];
    let control: &[ControlMessage<'_>] = if fds.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None) {
            Err(Errno::EAGAIN) => return Ok(0),
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    /// How many descriptors of this process are the same socket as `socket`.
    fn copies(socket: &UnixStream) -> usize {
        let name = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let links = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| std::fs::read_link(entry.unwrap().path()));
        links.filter(|link| link.as_ref().is_ok_and(|link| *link == name)).count()
    }

    #[test]
    fn descriptors_come_with_their_bytes_and_close_on_exec() {
        for count in [0, 1, 2, MOST_DESCRIPTORS] {
            let (here, there) = UnixStream::pair().unwrap();
            assert_eq!(send(&there, b"x", &vec![there.as_raw_fd(); count]), Ok(1));
            let mut fds = VecDeque::new();
            assert_eq!(receive(&here, &mut [0; 8], &mut fds), Ok(1));
            assert_eq!(fds.len(), count);
            for fd in &fds {
                assert_eq!(fcntl(fd, FcntlArg::F_GETFD), Ok(libc::FD_CLOEXEC));
            }
        }
    }

    #[test]
    fn there_is_room_for_all_that_the_kernel_may_write() {
        assert!(size_of::<Room>() >= ROOM && ROOM >= size_of::<cmsghdr>() + MOST_DESCRIPTORS * size_of::<RawFd>());
    }

    #[test]
    fn too_many_descriptors_are_an_error_and_none_of_them_goes_astray() {
        let (here, there) = UnixStream::pair().unwrap();
        assert_eq!(send(&there, b"x", &[there.as_raw_fd(); MOST_DESCRIPTORS + 1]), Ok(1));
        let mut fds = VecDeque::new();
        assert_eq!(receive(&here, &mut [0; 8], &mut fds), Err(Errno::EMFILE));
        assert_eq!(copies(&there), 1 + fds.len());
        drop(fds);
        assert_eq!(copies(&there), 1);
    }

    #[test]
    fn a_receiver_that_does_not_wait_is_told_that_nothing_is_there() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert_eq!(receive(&here, &mut [0; 8], &mut VecDeque::new()), Err(Errno::EAGAIN));
    }
}
