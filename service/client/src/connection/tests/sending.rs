//! Sockets and pipes that do not take everything at once, and what the peer asks meanwhile.

use super::*;

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
        let serial = |message: &Message| message.primary_header().serial_num().get();
        let answer = peer.hear().unwrap();
        // The connection has counted one message so far.
        assert_eq!((serial(&answer), answer.message_type()), (2, Type::MethodReturn));
        assert_eq!(answer.header().reply_serial(), Some(ping.primary_header().serial_num()));
        let answer = peer.hear().unwrap();
        assert_eq!(serial(&answer), 3);
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
