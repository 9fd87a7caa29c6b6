//! A peer that speaks in bytes: half handshakes, false headers, floods, and replies that are never read.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use serde::Serialize;
use tokenvault_proto::{BUS_NAME, OBJECT_PATH};
use zbus::{DynamicType, Message};

use crate::door::Door;
use crate::floor;
use crate::user::User;
use crate::vault::Vault;
use crate::wait::{self, PATIENCE};
use crate::wire;

const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// The first number of a message of a flood: past those of all other messages of a test.
const FIRST_OF_FLOOD: u32 = 1 << 31;
/// How long a peer that takes nothing is written to.
const FLOOD_PATIENCE: Duration = Duration::from_millis(500);

/// A connection of one user, authenticated and then left to the test.
#[derive(Debug)]
pub struct RawPeer {
    stream: UnixStream,
    door: Door,
    /// The number of the next message of a flood.
    next_serial: u32,
}

/// A reply, not taken apart.
#[derive(Debug)]
pub struct RawReply {
    bytes: Vec<u8>,
}

impl RawReply {
    /// Whether it is an error of this name.
    pub fn is_error(&self, name: &str) -> bool {
        self.bytes[1] == ERROR && self.bytes.windows(name.len()).any(|window| window == name.as_bytes())
    }

    /// Whether it is the answer of a call that worked.
    pub fn is_return(&self) -> bool {
        self.bytes[1] == METHOD_RETURN
    }
}

impl RawPeer {
    /// Connects as `user`, authenticates, and on the bus says Hello.
    pub fn open(vault: &Vault, user: User, door: Door) -> Self {
        Self::open_if_let_in(vault, user, door).expect("the door refused EXTERNAL authentication")
    }

    /// The same where the door may be full.
    pub fn open_if_let_in(vault: &Vault, user: User, door: Door) -> Option<Self> {
        let stream = Self::connect(vault, user, door).expect("connecting to the door");
        let mut peer = Self { stream, door, next_serial: FIRST_OF_FLOOD };
        let uid: String = user.uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        // Who is turned away may find nobody to say it to.
        peer.write(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes()).ok()?;
        if !peer.read_line().starts_with("OK ") {
            return None;
        }
        peer.write(b"NEGOTIATE_UNIX_FD\r\n").expect("negotiating");
        assert_eq!(peer.read_line(), "AGREE_UNIX_FD\r\n");
        peer.write(b"BEGIN\r\n").expect("beginning");
        if door == Door::Bus {
            peer.write(&Self::message_to_bus("Hello")).expect("saying Hello");
            while !peer.read_reply().expect("an answer of the bus").is_return() {}
        }
        Some(peer)
    }

    /// Connects to the private socket as a client that takes no descriptors.
    pub fn open_without_descriptors(vault: &Vault, user: User) -> Self {
        let door = Door::Socket;
        let stream = Self::connect(vault, user, door).expect("connecting to the door");
        let mut peer = Self { stream, door, next_serial: FIRST_OF_FLOOD };
        peer.write(b"\0AUTH EXTERNAL\r\nDATA\r\n").expect("authenticating");
        assert_eq!(peer.read_line(), "DATA\r\n");
        assert!(peer.read_line().starts_with("OK "));
        peer.write(b"BEGIN\r\n").expect("beginning");
        peer
    }

    /// Only connects; nothing has been said.
    pub fn connect(vault: &Vault, user: User, door: Door) -> io::Result<UnixStream> {
        wire::connect(vault, user, door)
    }

    /// The bytes of a call, for this door.
    pub fn message<B>(&self, interface: &str, method: &str, body: &B) -> Vec<u8>
    where
        B: Serialize + DynamicType,
    {
        Self::message_at(self.door, interface, method, body)
    }

    /// The bytes of a call, for a door.
    pub fn message_at<B>(door: Door, interface: &str, method: &str, body: &B) -> Vec<u8>
    where
        B: Serialize + DynamicType,
    {
        let mut call = Message::method_call(OBJECT_PATH, method).interface(interface);
        if door == Door::Bus {
            call = call.destination(BUS_NAME);
        }
        call.build(body).expect("a message").data().bytes().to_vec()
    }

    /// The bytes of a call to the bus itself.
    pub fn message_to_bus(method: &str) -> Vec<u8> {
        let bus = "org.freedesktop.DBus";
        let call = Message::method_call("/org/freedesktop/DBus", method).destination(bus).interface(bus);
        call.build(&()).expect("a message").data().bytes().to_vec()
    }

    /// The bytes of a call to the floor service on the bus.
    pub fn message_to_floor<B>(interface: &str, method: &str, body: &B) -> Vec<u8>
    where
        B: Serialize + DynamicType,
    {
        let call = Message::method_call(floor::PATH, method).destination(floor::NAME).interface(interface);
        call.build(body).expect("a message").data().bytes().to_vec()
    }

    /// The shortest message that is no call, of one type: a signal, or the answer to a call nobody made.
    pub fn shortest_message(kind: u8) -> [u8; 16] {
        [b'l', kind, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends bytes, and descriptors with the first of them; not for long where the peer takes no more.
    pub fn write_with(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let numbers: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let parts = [io::IoSlice::new(bytes)];
        self.stream.set_write_timeout(Some(FLOOD_PATIENCE))?;
        let flags = MsgFlags::MSG_NOSIGNAL;
        let sent = sendmsg::<UnixAddr>(self.stream.as_raw_fd(), &parts, &rights, flags, None)?;
        self.stream.write_all(&bytes[sent..])
    }

    /// Sends whole messages again and again without reading until the peer takes no more, is gone, or `times` are done; how
    /// many times they were sent. Each gets a number of its own: a call whose number is that of one without a reply is
    /// refused by the bus, and the vault never hears of it.
    pub fn flood(&mut self, messages: &[u8], times: usize) -> usize {
        self.stream.set_write_timeout(Some(FLOOD_PATIENCE)).expect("a timeout");
        let mut messages = messages.to_vec();
        let mut send = || {
            self.number(&mut messages);
            self.stream.write_all(&messages).is_ok()
        };
        (0..times).take_while(|_| send()).count()
    }

    fn number(&mut self, mut messages: &mut [u8]) {
        while !messages.is_empty() {
            messages[8..12].copy_from_slice(&self.next_serial.to_le_bytes());
            self.next_serial = self.next_serial.checked_add(1).unwrap_or(FIRST_OF_FLOOD);
            let (_, rest) = messages.split_at_mut(length(messages));
            messages = rest;
        }
    }

    /// Sends whole messages as [`RawPeer::flood`] does for as long as `goes_on`, reads and forgets all that comes, and then
    /// waits until the peer has nothing more of them to read and hangs up.
    pub fn flood_and_forget(mut self, messages: &[u8], goes_on: impl Fn() -> bool) {
        let mut replies = self.stream.try_clone().expect("the other half of a socket");
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut sink = [0; 64 * 1024];
                while matches!(replies.read(&mut sink), Ok(1..)) {}
            });
            while goes_on() && self.flood(messages, 1) == 1 {}
            self.stream.shutdown(Shutdown::Write).ok();
        });
    }

    /// The next method return or error; `None` when the peer hung up.
    pub fn read_reply(&mut self) -> Option<RawReply> {
        loop {
            let bytes = self.read_message()?;
            if matches!(bytes[1], METHOD_RETURN | ERROR) {
                return Some(RawReply { bytes });
            }
        }
    }

    /// Says that nothing more comes, and waits until the peer has hung up; what it sent stays unread.
    pub fn leave_unread(&self) {
        let deadline = Instant::now() + PATIENCE;
        wait::for_any(&[self.stream.as_fd()], deadline).expect("nothing was sent");
        self.stream.shutdown(Shutdown::Write).expect("the peer hung up first");
        wait::until("the peer to hang up", || {
            let mut polls = [PollFd::new(self.stream.as_fd(), PollFlags::empty())];
            poll(&mut polls, PollTimeout::ZERO).expect("poll");
            polls[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)).then_some(())
        });
    }

    /// Waits until the peer hangs up; false when it has not after the usual patience.
    pub fn is_hung_up_on(mut self) -> bool {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut sink = [0; 4096];
        loop {
            match self.stream.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    fn read_message(&mut self) -> Option<Vec<u8>> {
        let mut message = vec![0; 16];
        self.read_exact(&mut message)?;
        message.resize(length(&message), 0);
        self.read_exact(&mut message[16..])?;
        Some(message)
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Option<()> {
        let deadline = Instant::now() + PATIENCE;
        while !buffer.is_empty() {
            wait::for_any(&[self.stream.as_fd()], deadline).expect("no answer came");
            match self.stream.read(buffer) {
                Ok(0) | Err(_) => return None,
                Ok(length) => buffer = &mut buffer[length..],
            }
        }
        Some(())
    }

    fn read_line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.read_exact(&mut byte).expect("the peer hung up in the handshake");
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("a handshake is ASCII")
    }
}

/// Length of a message, from how it begins.
fn length(message: &[u8]) -> usize {
    assert_eq!(message[0], b'l', "messages are little-endian here");
    let number = |at: usize| u32::from_le_bytes(message[at..at + 4].try_into().unwrap()) as usize;
    16 + number(12).next_multiple_of(8) + number(4)
}
