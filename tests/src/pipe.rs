//! Pipes, the way values travel.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

/// A new pipe: read end, write end.
pub fn open() -> (OwnedFd, OwnedFd) {
    pipe2(OFlag::O_CLOEXEC).expect("pipe2")
}

/// The read end of a pipe that holds `bytes` and whose write end is closed.
pub fn holding(bytes: &[u8]) -> OwnedFd {
    let (reader, writer) = open();
    let room = i32::try_from(bytes.len().max(4096)).expect("a pipe of this size");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(room)).expect("a pipe this large");
    File::from(writer).write_all(bytes).expect("writing into a pipe with room");
    reader
}

/// Everything a pipe gives until its end.
pub fn read_all(reader: OwnedFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::from(reader).read_to_end(&mut bytes).expect("reading a pipe");
    bytes
}
