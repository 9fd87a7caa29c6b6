//! A client made by hand, which can do what no library would.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use tokenvaultd::sys::socket::{self, ControlRoom};
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};
use zbus::{Message, OwnedVariant};

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

/// A call of `Fetch`.
pub fn fetch(serial: u32, text: &str) -> Vec<u8> {
    let call = Message::method_call(PATH, "Fetch").interface(INTERFACE).serial(serial.try_into().unwrap());
    call.build(&text).unwrap().data().bytes().to_vec()
}

/// A call of `Say`.
pub fn say(serial: u32, bytes: u32) -> Vec<u8> {
    let call = Message::method_call(PATH, "Say").interface(INTERFACE).serial(serial.try_into().unwrap());
    call.build(&bytes).unwrap().data().bytes().to_vec()
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

/// Most bytes received at once.
const PIECE: usize = 4096;

/// A reply.
pub struct Told {
    pub kind: u8,
    /// Number of the call it answers.
    pub answers: u32,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Told {
    /// The text it consists of.
    pub fn text(&self) -> String {
        assert!(self.fds.is_empty());
        let body = Data::new(&self.body, Context::new(Endian::Little, 0));
        let (text, len) = body.deserialize().unwrap();
        assert_eq!(len, self.body.len());
        text
    }

    /// The text in the pipe that came with it, and which way it came.
    pub fn fetched(self) -> (String, String) {
        let body = Data::new(&self.body, Context::new(Endian::Little, 0));
        let ((number, came), len): ((u32, HashMap<String, OwnedVariant>), usize) = body.deserialize().unwrap();
        assert_eq!((number, len), (0, self.body.len()));
        let [pipe] = self.fds.try_into().unwrap();
        let mut text = String::new();
        File::from(pipe).read_to_string(&mut text).unwrap();
        (text, came["way"].downcast_ref::<&str>().unwrap().to_owned())
    }
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
        let Told { kind, answers, .. } = self.told();
        (kind, answers)
    }

    /// The next reply.
    pub fn told(&mut self) -> Told {
        let (mut start, mut fds) = ([0; 16], Vec::new());
        self.receive(&mut start, &mut fds);
        let number = |at: usize| u32::from_le_bytes(start[at..at + 4].try_into().unwrap());
        let fields = number(12).next_multiple_of(8) as usize;
        let mut rest = vec![0; fields + number(4) as usize];
        self.receive(&mut rest, &mut fds);
        // The field with code 5 and type u, on an 8-byte boundary.
        let at = (0..fields).step_by(8).find(|at| rest[*at..].starts_with(&[5, 1, b'u', 0])).unwrap();
        let answers = u32::from_le_bytes(rest[at + 4..at + 8].try_into().unwrap());
        Told { kind: start[1], answers, body: rest.split_off(fields), fds }
    }

    /// Receives exactly so many bytes, a few at a time, and what comes with them.
    fn receive(&self, mut buffer: &mut [u8], fds: &mut Vec<OwnedFd>) {
        while !buffer.is_empty() {
            self.wait_for(PollFlags::POLLIN);
            let piece = buffer.len().min(PIECE);
            let received = socket::receive(&self.0, &mut buffer[..piece], &mut ControlRoom::new(4), fds).unwrap();
            assert!(received.bytes > 0 && !received.truncated, "{received:?}");
            buffer = &mut buffer[received.bytes..];
        }
    }

    /// Waits until something came.
    pub fn until_something_came(&self) {
        self.wait_for(PollFlags::POLLIN);
    }

    /// Waits until the door has ended the connection.
    pub fn until_hung_up(&self) {
        self.wait_for(PollFlags::POLLHUP);
    }

    fn wait_for(&self, event: PollFlags) {
        let mut polled = [PollFd::new(self.0.as_fd(), event)];
        assert_eq!(poll(&mut polled, PollTimeout::from(20_000_u16)).unwrap(), 1, "waited too long for {event:?}");
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
