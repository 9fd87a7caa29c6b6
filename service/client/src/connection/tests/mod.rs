//! Calls against a peer that says and does what a test wants.

mod descriptor;
mod sending;
mod signals;
mod trouble;
mod waiting;

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
