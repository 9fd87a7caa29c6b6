//! The wire with a bus made by hand at its other end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;
use std::thread;

use zbus::connection::socket::{ReadHalf, WriteHalf};
use zbus::message::{Flags, Type};
use zbus::{Fd, Message};

use super::*;
use crate::sys::socket;

mod fast;
mod hostile;

const MIB: usize = 1024 * 1024;

/// Nothing is answered here.
fn alone() -> Above {
    Above { fast_path: None, is_counted: crate::bus::is_counted_on_the_bus }
}

fn pair() -> (StdStream, Arc<BusWire>, Reader) {
    let (bus, daemon) = StdStream::pair().unwrap();
    let (wire, _builder) = open(daemon.into(), alone()).unwrap();
    let reader = Reader::new(Arc::clone(&wire), alone());
    (bus, wire, reader)
}

/// A pipe that holds a text.
fn pipe_with(text: &str) -> OwnedFd {
    let (read, mut write) = io::pipe().unwrap();
    write.write_all(text.as_bytes()).unwrap();
    read.into()
}

fn call(path: &str, body: &str, fd: &OwnedFd) -> Message {
    Message::method_call(path, "Put").sender(":1.7").build(&(body, Fd::from(fd.as_fd()))).unwrap()
}

/// As the bus does it: descriptors go with the first byte.
fn send(bus: &StdStream, message: &Message) {
    let mut fds: Vec<_> = message.data().fds().iter().map(AsFd::as_fd).collect();
    let mut rest: &[u8] = message.data().bytes();
    while !rest.is_empty() {
        match socket::send(bus, rest, &fds) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
            sent => rest = &rest[sent.unwrap()..],
        }
        fds.clear();
    }
}

async fn receive(reader: &mut Reader) -> Message {
    reader.receive_message(0, &mut Vec::new(), &mut Vec::new()).await.unwrap()
}

/// What the first descriptor of a message gives.
fn text_of(message: &Message) -> String {
    let (_, fd): (&str, zbus::OwnedFd) = message.body().deserialize().unwrap();
    let mut text = String::new();
    File::from(OwnedFd::from(fd)).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn the_greeting_is_given_out_in_lines_and_never_with_a_message() {
    let (mut bus, _wire, mut reader) = pair();
    bus.write_all(b"OK 0123\r\nAGREE_UNIX_FD\r\n").unwrap();
    send(&bus, &call("/a", "first", &pipe_with("x")));
    let mut lines = Vec::new();
    for _ in 0..2 {
        let mut buffer = [0; 1024];
        let (count, _) = reader.recvmsg(&mut buffer).await.unwrap();
        lines.push(String::from_utf8(buffer[..count].to_vec()).unwrap());
    }
    assert_eq!(lines, ["OK 0123\r\n", "AGREE_UNIX_FD\r\n"]);
    assert_eq!(text_of(&receive(&mut reader).await), "x");
}

/// A bus that says this is none; zbus would look for what stands before the first byte.
#[tokio::test]
async fn a_line_that_does_not_end_as_one_is_not_given_out() {
    for line in [&b"\n"[..], b"\0\nOK 0123\r\n", b"OK 0123\n"] {
        let (mut bus, _wire, mut reader) = pair();
        bus.write_all(line).unwrap();
        let error = reader.recvmsg(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn what_is_too_large_goes_with_its_descriptors_and_its_caller_is_told() {
    let (bus, _wire, mut reader) = pair();
    let peer = thread::spawn(move || {
        let (large, path) = ("l".repeat(MIB), format!("/{}", "p".repeat(MIB)));
        let mut refused = Vec::new();
        for (path, body) in [("/a", large.as_str()), (path.as_str(), "b"), (path.as_str(), large.as_str())] {
            let message = call(path, body, &pipe_with("of the large one"));
            refused.push(message.primary_header().serial_num());
            send(&bus, &message);
            send(&bus, &call("/a", "small", &pipe_with("of the small one")));
        }
        (bus, refused)
    });
    for _ in 0..3 {
        assert_eq!(text_of(&receive(&mut reader).await), "of the small one");
    }
    let (bus, refused) = peer.join().unwrap();
    let mut replies = Reader::new(open(bus.into(), alone()).unwrap().0, alone());
    for serial in refused {
        let reply = receive(&mut replies).await;
        assert_eq!(reply.message_type(), Type::Error);
        assert_eq!(reply.header().reply_serial(), Some(serial));
        assert_eq!(reply.header().destination().unwrap().as_str(), ":1.7");
    }
}

#[tokio::test]
async fn large_messages_that_are_no_calls_are_skipped_in_silence() {
    let (bus, _wire, mut reader) = pair();
    let peer = thread::spawn(move || {
        let signal = Message::signal("/a", "b.c", "D").sender(":1.7").build(&"s".repeat(MIB)).unwrap();
        send(&bus, &signal);
        send(&bus, &call("/a", "small", &pipe_with("x")));
        bus
    });
    assert_eq!(text_of(&receive(&mut reader).await), "x");
    let mut bus = peer.join().unwrap();
    bus.set_nonblocking(true).unwrap();
    assert_eq!(bus.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_wire_has_settled_when_the_calls_it_took_have_their_replies() {
    let (bus, wire, mut reader) = pair();
    let fd = pipe_with("x");
    let message = call("/a", "first", &fd);
    send(&bus, &message);
    let taken = receive(&mut reader).await;
    let mut settling = std::pin::pin!(wire.settle());
    tokio::select! {
        biased;
        () = &mut settling => panic!("a call has no reply yet"),
        () = std::future::ready(()) => {}
    }
    // No more are taken.
    send(&bus, &call("/a", "second", &fd));
    let reply = Message::method_return(&taken.header()).build(&()).unwrap();
    let mut writer = Writer::new(Arc::clone(&wire));
    writer.send_message(&reply).await.unwrap();
    settling.await;
    drop(bus);
    assert!(reader.receive_message(0, &mut Vec::new(), &mut Vec::new()).await.is_err(), "a call was taken at the end");
}

#[tokio::test]
async fn a_wire_that_settles_waits_for_its_own_replies_and_not_for_those_that_nobody_wants() {
    let (bus, wire, mut reader) = pair();
    let fd = pipe_with("x");
    let wanted = call("/a", "first", &fd);
    let unwanted = Message::method_call("/a", "Put").sender(":1.7").with_flags(Flags::NO_REPLY_EXPECTED);
    send(&bus, &wanted);
    send(&bus, &unwanted.build(&"second").unwrap());
    let (wanted, unwanted) = (receive(&mut reader).await, receive(&mut reader).await);
    let mut writer = Writer::new(Arc::clone(&wire));
    // zbus answers what is no call of ours whether that is wanted or not.
    let error = Message::error(&unwanted.header(), "a.b.C").build(&()).unwrap();
    writer.send_message(&error).await.unwrap();
    let mut settling = std::pin::pin!(wire.settle());
    tokio::select! {
        biased;
        () = &mut settling => panic!("a call has no reply yet"),
        () = std::future::ready(()) => {}
    }
    writer.send_message(&Message::method_return(&wanted.header()).build(&()).unwrap()).await.unwrap();
    settling.await;
    let mut replies = Reader::new(open(bus.into(), alone()).unwrap().0, alone());
    assert_eq!(receive(&mut replies).await.message_type(), Type::MethodReturn, "an answer that nobody wants");
}
