//! A client made by hand, which can do what no library would.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use zbus::Message;

use super::{INTERFACE, PATH};

/// Place of the flags in a message, and the flag that wants no reply.
pub const FLAGS: usize = 2;
pub const NO_REPLY_EXPECTED: u8 = 1;

/// Message type of an error reply.
pub const ERROR: u8 = 3;

/// A call of `Echo`.
pub fn echo(serial: u32, text: &str) -> Vec<u8> {
    let call = Message::method_call(PATH, "Echo").interface(INTERFACE).serial(serial.try_into().unwrap());
    call.build(&text).unwrap().data().bytes().to_vec()
}

/// A call without arguments.
pub fn call(member: &str, serial: u32) -> Vec<u8> {
    let call = Message::method_call(PATH, member).interface(INTERFACE).serial(serial.try_into().unwrap());
    call.build(&()).unwrap().data().bytes().to_vec()
}

/// The first 20 bytes of a call that claims these lengths.
pub fn prefix(body: u32, fields: u32) -> Vec<u8> {
    let mut bytes = vec![b'l', 1, 0, 1];
    bytes.extend([body, 1, fields, 0].iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

/// What the door says before it closes a connection.
pub fn text_until_closed(mut stream: &UnixStream) -> String {
    let mut text = Vec::new();
    // A reset says the same as an end.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

pub struct RawClient(pub UnixStream);

impl RawClient {
    pub fn connect(path: &Path) -> Self {
        Self::connect_saying(path, "NEGOTIATE_UNIX_FD\r\nBEGIN\r\n", 2).unwrap()
    }

    pub fn connect_without_fds(path: &Path) -> Self {
        Self::connect_saying(path, "BEGIN\r\n", 1).unwrap()
    }

    /// Tries until there is a place.
    pub fn connect_when_admitted(path: &Path) -> Self {
        loop {
            if let Some(client) = Self::connect_saying(path, "NEGOTIATE_UNIX_FD\r\nBEGIN\r\n", 2) {
                return client;
            }
            std::thread::yield_now();
        }
    }

    pub fn greeted(stream: UnixStream) -> Self {
        Self(stream)
    }

    fn connect_saying(path: &Path, rest: &str, answers: usize) -> Option<Self> {
        let mut stream = UnixStream::connect(path).unwrap();
        let uid: String = nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\n{rest}").as_bytes()).ok()?;
        let mut client = Self(stream);
        for _ in 0..answers {
            if client.line()?.starts_with("ERROR") {
                return None;
            }
        }
        Some(client)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        String::from_utf8(line).ok()
    }

    pub fn skip_greeting(&mut self, lines: usize) {
        for _ in 0..lines {
            self.line().unwrap();
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends what the socket takes at once; whether that was all of it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let sent = self.0.write(bytes);
        self.0.set_nonblocking(false).unwrap();
        sent.is_ok_and(|count| count == bytes.len())
    }

    pub fn send_with_fds(&mut self, bytes: &[u8], count: usize) {
        let fds: Vec<RawFd> = (0..count).map(|_| self.0.as_fd().as_raw_fd()).collect();
        let control = [ControlMessage::ScmRights(&fds)];
        let iov = [std::io::IoSlice::new(bytes)];
        sendmsg::<UnixAddr>(self.0.as_raw_fd(), &iov, &control, MsgFlags::empty(), None).unwrap();
    }

    /// Message type of the next reply, and the call it answers.
    pub fn reply(&mut self) -> (u8, u32) {
        let mut start = [0; 16];
        self.0.read_exact(&mut start).unwrap();
        let number = |at: usize| u32::from_le_bytes(start[at..at + 4].try_into().unwrap());
        let fields = number(12).next_multiple_of(8) as usize;
        let mut rest = vec![0; fields + number(4) as usize];
        self.0.read_exact(&mut rest).unwrap();
        // The field with code 5 and type u, on an 8-byte boundary.
        let at = (0..fields).step_by(8).find(|at| rest[*at..].starts_with(&[5, 1, b'u', 0])).unwrap();
        (start[1], u32::from_le_bytes(rest[at + 4..at + 8].try_into().unwrap()))
    }

    pub fn reply_serial(&mut self) -> u32 {
        self.reply().1
    }

    pub fn assert_closed(&mut self) {
        assert_eq!(text_until_closed(&self.0), "");
    }
}

/// Sends calls and reads nothing, for as long as told; how many bytes the door took.
pub fn flood(path: &Path, time: Duration) -> (RawClient, usize) {
    let mut client = RawClient::connect(path);
    let calls: Vec<u8> = (1..=200).flat_map(|serial| echo(serial, "db-password")).collect();
    client.0.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let (begin, mut sent, mut rest) = (Instant::now(), 0, calls.as_slice());
    while begin.elapsed() < time {
        if let Ok(count) = client.0.write(rest) {
            sent += count;
            rest = if count == rest.len() { &calls } else { &rest[count..] };
        }
    }
    (client, sent)
}
