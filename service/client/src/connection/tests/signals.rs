//! Being told something: what is kept, and what others can send to a subscriber on a bus.

use std::os::unix::net::UnixStream;

use tokenvault_proto::BUS_NAME;

use super::*;
use crate::inbox::Inbox;

const VAULT: &str = ":1.5";
const MALLORY: &str = ":1.66";

/// A signal on a bus; who sent it is what the bus says.
fn from(sender: &str, text: &str) -> Message {
    Message::signal("/a", "b.c", "Happened").sender(sender).build(&text).unwrap()
}

/// The same with a field of its head that nobody knows, in place of its interface. Some buses pass that on (dbus-broker), and
/// zbus takes no such message.
fn odd(sender: &str) -> Vec<u8> {
    let mut bytes = from(sender, "odd").data().bytes().to_vec();
    let field = bytes.windows(4).position(|bytes| bytes == [2, 1, b's', 0]).unwrap();
    bytes[field] = 42;
    bytes
}

/// A client on a bus, and the bus, that has answered what is asked before signals are taken.
fn on_a_bus() -> (Connection, Peer) {
    let (here, there) = UnixStream::pair().unwrap();
    let (mut connection, mut bus) = (Connection::new(here.into(), Inbox::new(), Some(BUS_NAME)), Peer::new(there));
    thread::scope(|scope| {
        scope.spawn(|| {
            for (member, sender) in [("AddMatch", "org.freedesktop.DBus"), ("Ping", VAULT)] {
                let call = bus.hear().unwrap();
                assert_eq!(call.header().member().unwrap().as_str(), member);
                bus.send(&reply_to(&call).sender(sender).build(&()).unwrap());
            }
        });
        connection.take_signals(soon()).unwrap();
    });
    (connection, bus)
}

#[track_caller]
fn told(connection: &mut Connection) -> String {
    let signal = connection.await_signal(soon()).unwrap().expect("nothing is told");
    signal.body().deserialize::<String>().unwrap()
}

#[test]
fn what_anybody_else_sends_ends_nothing_and_is_not_kept() {
    let (mut connection, bus) = on_a_bus();
    bus.say(&odd(MALLORY));
    bus.send(&from(MALLORY, "not the vault's"));
    bus.send(&from(VAULT, "first"));
    // In one read with what follows.
    bus.say(&[&odd(MALLORY), from(VAULT, "second").data().bytes(), &odd(MALLORY)].concat());
    assert_eq!([told(&mut connection), told(&mut connection)], ["first", "second"]);
    assert_eq!(connection.await_signal(in_millis(0)).map(|signal| signal.is_none()), Ok(true));
}

#[test]
fn a_reply_that_is_none_still_ends_the_connection() {
    let (mut connection, mut bus) = on_a_bus();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let mut reply = odd(VAULT);
            reply[1] = 2;
            bus.hear().unwrap();
            bus.say(&reply);
            bus.wait_for_end();
        });
        let outcome = connection.exchange(call("text"), soon());
        drop(connection);
        outcome
    });
    assert!(matches!(outcome, Err(Failure::Lost(_))), "{outcome:?}");
}

#[test]
fn what_is_told_before_the_answer_is_kept() {
    let (mut connection, mut bus) = on_a_bus();
    thread::scope(|scope| {
        scope.spawn(|| {
            let call = bus.hear().unwrap();
            bus.send(&from(VAULT, "before"));
            bus.send(&reply_to(&call).sender(VAULT).build(&"done").unwrap());
            bus.send(&from(VAULT, "behind"));
        });
        assert_says(connection.exchange(call("text"), soon()), "done");
    });
    assert_eq!([told(&mut connection), told(&mut connection)], ["before", "behind"]);
}

#[test]
fn that_the_vault_leaves_is_believed_of_the_bus_alone() {
    let (mut connection, bus) = on_a_bus();
    let left = |sender: &str| {
        let signal = Message::signal("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged");
        signal.sender(sender).build(&(BUS_NAME, VAULT, "")).unwrap()
    };
    bus.send(&left(VAULT));
    bus.send(&left("org.freedesktop.DBus"));
    let signals = [(); 2].map(|()| connection.await_signal(soon()).unwrap().unwrap());
    assert_eq!(signals.map(|signal| connection.says_that_it_left(&signal)), [false, true]);
}
