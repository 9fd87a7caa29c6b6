use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use zbus::wire::Endian;

use super::*;
use crate::fixture::{Peer, connect, in_millis, reply_to, signal, soon};
use crate::pipe;
use crate::sys::Interruptible;

fn call<'v>(body: &str) -> Prepared<'v> {
    prepared(&Message::method_call("/a", "B").build(&body).unwrap(), None)
}

fn prepared<'v>(message: &Message, rest: Option<Rest<'v>>) -> Prepared<'v> {
    let (bytes, serial) = (message.data().bytes().to_vec(), message.primary_header().serial_num());
    Prepared { call: Call { bytes, serial, body: message.data().clone() }, rest }
}

/// One call while `peer` is played by `part` in another thread, which gets the call.
fn play(until: Instant, part: impl FnOnce(&mut Peer, &Message) + Send) -> Result<Message, Failure> {
    let (mut connection, mut peer) = connect();
    thread::scope(move |scope| {
        scope.spawn(move || {
            let call = peer.hear().unwrap();
            part(&mut peer, &call);
        });
        let reply = connection.exchange(call("text"), until);
        // The peer may wait for this.
        drop(connection);
        reply
    })
}

#[track_caller]
fn assert_says(reply: Result<Message, Failure>, text: &str) {
    assert_eq!(reply.unwrap().body().deserialize::<&str>(), Ok(text));
}

/// The reading end of a pipe with `text` in it.
fn pipe_with(text: &str) -> OwnedFd {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

fn read_from(message: &Message) -> String {
    let body = message.body();
    let fd: zbus::Fd<'_> = body.deserialize().unwrap();
    let mut text = String::new();
    std::fs::File::from(fd.as_fd().try_clone_to_owned().unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_reply_in_pieces_is_one_reply() {
    let reply = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&"done").unwrap();
        for byte in reply.data().bytes() {
            peer.say(&[*byte]);
        }
    });
    assert_says(reply, "done");
}

#[test]
fn a_reply_larger_than_the_room_of_an_idle_connection_comes_whole() {
    let text = "x".repeat(3 << 20);
    let reply = play(soon(), |peer, call| peer.send(&reply_to(call).build(&text).unwrap()));
    assert_says(reply, &text);
}

#[test]
fn a_reply_in_the_other_byte_order_is_understood() {
    let reply = play(soon(), |peer, call| {
        peer.send(&reply_to(call).endian(Endian::Big).build(&"done").unwrap());
    });
    assert_says(reply, "done");
}

#[test]
fn what_comes_with_a_reply_in_one_read_is_passed_over_or_kept() {
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&"first").unwrap();
            let other = reply_to(&call).reply_serial(999_999_999.try_into().ok()).build(&"another's").unwrap();
            let happened = signal(&"whatever");
            let bytes = [&happened, &other, &reply, &happened].map(|message| message.data().bytes()).concat();
            // The last one in two pieces, the second of which comes with the next reply.
            let (now, later) = bytes.split_at(bytes.len() - 5);
            peer.say(now);
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&"second").unwrap();
            peer.say(&[later, reply.data().bytes()].concat());
        });
        assert_says(connection.exchange(call("a"), soon()), "first");
        assert_says(connection.exchange(call("b"), soon()), "second");
    });
    assert!(connection.inbox.bytes().is_empty());
}

#[test]
fn each_message_has_its_own_descriptors_and_those_of_others_are_closed() {
    let (probe, held) = std::io::pipe().unwrap();
    let reply = play(soon(), |peer, call| {
        peer.send(&signal(&zbus::Fd::from(OwnedFd::from(held))));
        // In one write with the reply that has none of them: the first of two.
        peer.send(&signal(&"without"));
        peer.send(&reply_to(call).build(&zbus::Fd::from(pipe_with("its own"))).unwrap());
        peer.send(&signal(&zbus::Fd::from(pipe_with("behind"))));
    });
    assert_eq!(read_from(&reply.unwrap()), "its own");
    let mut end = Vec::new();
    std::io::BufReader::new(probe).read_to_end(&mut end).unwrap();
}

#[test]
fn descriptors_that_wait_for_two_messages_are_told_apart() {
    let (mut connection, mut peer) = connect();
    let first = signal(&zbus::Fd::from(pipe_with("the signal's")));
    let head = first.data().bytes().len() - 3;
    peer.say_with(&first.data().bytes()[..head], &[first.data().fds()[0].as_raw_fd()]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&zbus::Fd::from(pipe_with("the reply's"))).unwrap();
            let bytes = [&first.data().bytes()[head..], reply.data().bytes()].concat();
            peer.say_with(&bytes, &[reply.data().fds()[0].as_raw_fd()]);
        });
        assert_eq!(read_from(&connection.exchange(call("a"), soon()).unwrap()), "the reply's");
    });
}

#[test]
fn descriptors_of_no_message_or_too_few_of_them_end_the_connection() {
    let surplus = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&"none").unwrap();
        peer.say_with(reply.data().bytes(), &[pipe_with("x").as_raw_fd()]);
    });
    let Err(Failure::Lost(cause)) = surplus else { panic!("{surplus:?}") };
    assert!(cause.contains("belong to no message"), "{cause}");
    let missing = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&zbus::Fd::from(pipe_with("x"))).unwrap();
        peer.say(reply.data().bytes());
    });
    assert!(matches!(missing, Err(Failure::Lost(_))), "{missing:?}");
    let hoard = play(soon(), |peer, call| {
        let fds: Vec<OwnedFd> = (0..16).map(|_| pipe_with("x")).collect();
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let reply = reply_to(call).build(&"x".repeat(100)).unwrap();
        for byte in reply.data().bytes().iter().take(4) {
            peer.say_with(&[*byte], &fds);
        }
    });
    assert!(matches!(hoard, Err(Failure::Lost(_))), "{hoard:?}");
}

#[test]
fn garbage_and_boasting_end_the_connection_at_once() {
    let claims = |body: u32, fields: u32| {
        let mut prefix = vec![b'l', 2, 0, 1];
        [body, 7, fields].iter().for_each(|number| prefix.extend(number.to_le_bytes()));
        prefix
    };
    for bytes in [vec![b'x'; 64], vec![0; 64], claims(100 << 20, 0), claims(0, 100 << 20), claims(u32::MAX, u32::MAX)] {
        let reply = play(soon(), |peer, _| {
            peer.say(&bytes);
            // Stays, so that it is the bytes that end it.
            peer.wait_for_end();
        });
        assert!(matches!(reply, Err(Failure::Lost(_))), "{bytes:?}: {reply:?}");
    }
}

#[test]
fn memory_grows_with_what_came_and_not_with_what_is_claimed() {
    let (mut connection, peer) = connect();
    let mut prefix = vec![b'l', 2, 0, 1];
    [60_u32 << 20, 7, 0].iter().for_each(|number| prefix.extend(number.to_le_bytes()));
    peer.say(&prefix);
    assert_eq!(connection.exchange(call("a"), in_millis(50)).unwrap_err(), Failure::Late);
    assert!(connection.inbox.room() <= 8192, "{}", connection.inbox.room());
}

#[test]
fn silence_is_late_at_the_deadline_and_so_is_a_reply_that_dribbles() {
    let (mut connection, _peer) = connect();
    let began = Instant::now();
    assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");

    let is_over = AtomicBool::new(false);
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = peer.hear().unwrap();
            let reply = reply_to(&call).build(&"x".repeat(100_000)).unwrap();
            for byte in reply.data().bytes() {
                peer.say(&[*byte]);
                // Not too fast to be over by itself; an event of its own would be the deadline that is tested.
                thread::park_timeout(Duration::from_millis(1));
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let began = Instant::now();
        assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
        is_over.store(true, Ordering::Relaxed);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
    });
}

#[test]
fn another_deadline_than_that_of_the_call_before_counts() {
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(move || {
            let call = peer.hear().unwrap();
            peer.send(&reply_to(&call).build(&"done").unwrap());
            peer.wait_for_end();
        });
        assert_says(connection.exchange(call("a"), soon()), "done");
        let began = Instant::now();
        assert_eq!(connection.exchange(call("a"), in_millis(100)).unwrap_err(), Failure::Late);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(5), "{waited:?}");
        drop(connection);
    });
}

#[test]
fn signals_to_the_waiting_thread_disturb_nothing() {
    let caller = Interruptible::current();
    let (mut connection, mut peer) = connect();
    thread::scope(|scope| {
        scope.spawn(move || {
            let call = peer.hear().unwrap();
            for _ in 0..200 {
                caller.interrupt();
                thread::park_timeout(Duration::from_micros(200));
            }
            peer.send(&reply_to(&call).build(&"done").unwrap());
        });
        assert_says(connection.exchange(call("a"), soon()), "done");
    });
}

#[test]
fn a_peer_that_leaves_in_the_middle_of_a_message_is_lost_and_one_that_had_left_never_had_the_call() {
    let reply = play(soon(), |peer, call| {
        let reply = reply_to(call).build(&"done").unwrap();
        peer.say(&reply.data().bytes()[..20]);
        peer.stream = std::os::unix::net::UnixStream::pair().unwrap().0.into();
    });
    assert_eq!(reply.unwrap_err(), Failure::Lost("closed".into()));
    let (mut connection, peer) = connect();
    drop(peer);
    let failure = connection.exchange(call("a"), soon()).unwrap_err();
    assert!(matches!(failure, Failure::Unsent(_)), "{failure:?}");
}

/// A connection whose socket takes a fraction of a long call.
fn connect_narrow() -> (Connection, Peer) {
    let (connection, peer) = connect();
    setsockopt(&connection.stream.as_fd(), sockopt::SndBuf, &4096).unwrap();
    (connection, peer)
}

#[test]
fn a_call_larger_than_the_socket_is_sent_as_the_peer_reads_and_what_the_peer_says_first_is_read_meanwhile() {
    let (mut connection, mut peer) = connect_narrow();
    let text = "x".repeat(120_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            // More than fits between the two, before anything is read: whoever only sends hangs here.
            for _ in 0..50 {
                peer.send(&signal(&"y".repeat(20_000)));
            }
            let call = peer.hear().unwrap();
            assert_eq!(call.body().deserialize::<&str>().unwrap().len(), 120_000);
            peer.send(&reply_to(&call).build(&"done").unwrap());
        });
        assert_says(connection.exchange(call(&text), soon()), "done");
    });
}

#[test]
fn a_call_that_the_socket_did_not_take_whole_was_never_made() {
    let text = "x".repeat(120_000);
    let (mut connection, _peer) = connect_narrow();
    assert_eq!(connection.exchange(call(&text), in_millis(50)).unwrap_err(), Failure::Late);
    let (mut connection, peer) = connect_narrow();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut peer = peer;
            peer.stream.receive(&mut peer.inbox, soon()).unwrap();
        });
        let failure = connection.exchange(call(&text), soon()).unwrap_err();
        assert!(matches!(failure, Failure::Unsent(_)), "{failure:?}");
    });
}

#[test]
fn a_value_larger_than_its_pipe_is_fed_while_the_call_is_under_way() {
    let value: Vec<u8> = (0..300_000).map(|index| (index % 251) as u8).collect();
    for takes_it in [true, false] {
        let (mut connection, mut peer) = connect();
        let outgoing = pipe::send_small(&value).unwrap();
        let message = Message::method_call("/a", "Put").build(&zbus::Fd::from(outgoing.read)).unwrap();
        assert!(outgoing.rest.is_some());
        thread::scope(|scope| {
            let value = &value;
            scope.spawn(move || {
                let call = peer.hear().unwrap();
                let body = call.body();
                let fd: zbus::OwnedFd = body.deserialize().unwrap();
                if takes_it {
                    let mut seen = Vec::new();
                    std::fs::File::from(OwnedFd::from(fd)).read_to_end(&mut seen).unwrap();
                    assert!(seen == *value);
                }
                peer.send(&reply_to(&call).build(&"done").unwrap());
            });
            assert_says(connection.exchange(prepared(&message, outgoing.rest), soon()), "done");
        });
    }
}

#[test]
fn a_peer_that_calls_is_answered() {
    let reply = play(soon(), |peer, call| {
        let ping = Message::method_call("/", "Ping").interface("org.freedesktop.DBus.Peer").build(&()).unwrap();
        let other = Message::method_call("/a", "Other").build(&()).unwrap();
        let quiet =
            Message::method_call("/a", "Quiet").with_flags(zbus::message::Flags::NO_REPLY_EXPECTED).build(&()).unwrap();
        for question in [&quiet, &ping, &other] {
            peer.send(question);
        }
        let answer = peer.hear().unwrap();
        assert_eq!(answer.message_type(), Type::MethodReturn);
        assert_eq!(answer.header().reply_serial(), Some(ping.primary_header().serial_num()));
        let answer = peer.hear().unwrap();
        assert_eq!(answer.header().reply_serial(), Some(other.primary_header().serial_num()));
        assert_eq!(answer.header().error_name().unwrap().as_str(), "org.freedesktop.DBus.Error.UnknownMethod");
        peer.send(&reply_to(call).build(&"done").unwrap());
    });
    assert_says(reply, "done");
}

#[test]
fn a_peer_that_calls_and_reads_no_answer_is_not_served_for_ever() {
    let (mut connection, peer) = connect_narrow();
    let question = Message::method_call("/a", "Other").build(&()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = question.data().bytes().repeat(2000);
            let mut rest = &bytes[..];
            // Until the client hangs up.
            while let Ok(count) = peer.stream.send(rest, &[]) {
                rest = &rest[count..];
                rest = if rest.is_empty() { &bytes } else { rest };
                thread::yield_now();
            }
        });
        let failure = connection.exchange(call("a"), soon()).unwrap_err();
        assert!(matches!(failure, Failure::Lost(_)), "{failure:?}");
        drop(connection);
    });
}
