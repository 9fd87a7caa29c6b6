use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use zbus::Message;

use super::*;
use crate::fixture::{Peer, in_millis, reply_to, soon};

const GUID: &str = "0123456789abcdef0123456789abcdef";
const WELCOME: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

/// A listener that plays `part` with who comes first.
fn listen(path: &Path, part: impl FnOnce(&mut Peer) + Send + 'static) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || part(&mut Peer::new(listener.accept().unwrap().0)))
}

/// Why a door does not open behind which `part` is played.
fn refusal(part: impl FnOnce(&mut Peer) + Send + 'static, until: Instant) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let peer = listen(&path, part);
    let error = open(&[Address::Socket(path)], until).err().unwrap().to_string();
    peer.join().unwrap();
    error
}

/// Takes what the client says until it stands there as `last`.
fn hear_until(peer: &mut Peer, last: &[u8]) -> Vec<u8> {
    while !peer.inbox.bytes().ends_with(last) {
        assert!(peer.stream.receive(&mut peer.inbox, soon()).unwrap() > 0, "{:?}", peer.inbox.bytes());
    }
    let bytes = peer.inbox.bytes().to_vec();
    peer.inbox.consume(bytes.len());
    bytes
}

/// Plays a bus until its welcome is said: takes the greeting with the first call behind it.
fn welcome(peer: &mut Peer) -> Message {
    while !peer.inbox.bytes().windows(7).any(|bytes| bytes == b"BEGIN\r\n") {
        assert!(peer.stream.receive(&mut peer.inbox, soon()).unwrap() > 0);
    }
    let len = peer.inbox.bytes().windows(7).position(|bytes| bytes == b"BEGIN\r\n").unwrap() + 7;
    peer.inbox.consume(len);
    peer.hear().unwrap()
}

#[test]
fn the_greeting_is_one_write_and_the_answers_may_come_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let peer = listen(&path, |peer| {
        let greeting = hear_until(peer, b"BEGIN\r\n");
        let uid = nix::unistd::geteuid().to_string();
        let hex: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        assert_eq!(greeting, format!("\0AUTH EXTERNAL {hex}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").into_bytes());
        for byte in WELCOME {
            peer.say(&[*byte]);
        }
        peer.wait_for_end();
    });
    drop(open(&[Address::Socket(path)], soon()).unwrap());
    peer.join().unwrap();
}

#[test]
fn who_is_to_be_told_something_alone_can_be_sent_no_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let peer = listen(&path, |peer| {
        let greeting = hear_until(peer, b"BEGIN\r\n");
        assert!(!greeting.windows(4).any(|bytes| bytes == b"UNIX"), "{greeting:?}");
        peer.say(b"OK 0123456789abcdef0123456789abcdef\r\n");
        peer.wait_for_end();
    });
    drop(open_for(&[Address::Socket(path)], Carries::Bytes, soon()).unwrap());
    peer.join().unwrap();
}

#[test]
fn what_comes_behind_the_answers_belongs_to_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let peer = listen(&path, |peer| {
        let hello = welcome(peer);
        assert_eq!(hello.header().member().unwrap().as_str(), "Hello");
        let reply = reply_to(&hello).build(&":1.7").unwrap();
        peer.say(&[WELCOME, reply.data().bytes()].concat());
        peer.wait_for_end();
    });
    drop(open(&[Address::Bus(format!("unix:path={}", path.display()))], soon()).unwrap());
    peer.join().unwrap();
}

#[test]
fn a_bus_that_does_not_welcome_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let peer = listen(&path, |peer| {
        let hello = welcome(peer);
        peer.say(WELCOME);
        let name = "org.freedesktop.DBus.Error.LimitsExceeded";
        peer.send(&Message::error(&hello.header(), name).build(&"too many of you").unwrap());
        peer.wait_for_end();
    });
    let error = open(&[Address::Bus(format!("unix:path={}", path.display()))], soon()).err().unwrap().to_string();
    assert!(error.contains("too many of you"), "{error}");
    peer.join().unwrap();
}

#[test]
fn the_words_of_a_door_that_turns_clients_away_are_heard_even_when_it_hears_nothing() {
    let words = b"ERROR \"limit 'connections' of this user is reached; close one and retry\"\r\n";
    for listens in [true, false] {
        let error = refusal(
            move |peer| {
                if listens {
                    hear_until(peer, b"BEGIN\r\n");
                }
                peer.say(words);
            },
            soon(),
        );
        assert!(error.contains("(limit 'connections' of this user is reached; close one and retry)"), "{error}");
    }
}

#[test]
fn the_words_of_a_door_that_has_hung_up_already_are_heard() {
    let (here, there) = UnixStream::pair().unwrap();
    Peer::new(there).say(b"ERROR \"too many connections; retry\"\r\n");
    let refused = greeting::greet(&here.into(), &mut Inbox::new(), &[], (None, Carries::Descriptors), soon());
    assert_eq!(refused, Err(Refused::Said("too many connections; retry".to_owned())));
}

#[test]
fn what_speaks_otherwise_is_told_apart_from_what_says_nothing() {
    let rejected = refusal(|peer| peer.say(b"REJECTED EXTERNAL\r\n"), soon());
    assert!(rejected.contains("not who the connection says"), "{rejected}");
    for words in [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[b'x'; 5000], b"\r\n", b"\xff\xff\n"] {
        let error = refusal(
            |peer| {
                peer.say(words);
                peer.wait_for_end();
            },
            soon(),
        );
        assert!(error.contains("does not speak D-Bus"), "{error}");
    }
    let fds = refusal(|peer| peer.say(b"OK 00\r\nERROR \"no\"\r\n"), soon());
    assert!(fds.contains("no file descriptors"), "{fds}");
    let gone = refusal(|_| {}, soon());
    assert!(gone.contains("Connection reset") || gone.contains("Broken pipe"), "{gone}");
    let silent = refusal(Peer::wait_for_end, in_millis(100));
    assert!(silent.contains("(no answer)"), "{silent}");
    let half = refusal(
        |peer| {
            peer.say(b"OK 00\r\nAGREE_UNIX");
            hear_until(peer, b"BEGIN\r\n");
            peer.wait_for_end();
        },
        in_millis(100),
    );
    assert!(half.contains("(no answer)"), "{half}");
}

#[test]
fn the_ways_of_an_address_are_tried_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let address = |guid: &str| {
        let (none, some) = (directory.path().join("none"), path.display());
        format!("unix:path={};tcp:host=localhost,port=1;unix:path={some},guid={guid}", none.display())
    };
    let peer = listen(&path, |peer| {
        let hello = welcome(peer);
        peer.say(WELCOME);
        peer.send(&reply_to(&hello).build(&":1.7").unwrap());
        peer.wait_for_end();
    });
    drop(open(&[Address::Bus(address(GUID))], soon()).unwrap());
    peer.join().unwrap();

    std::fs::remove_file(&path).unwrap();
    let peer = listen(&path, |peer| {
        welcome(peer);
        peer.say(WELCOME);
        peer.wait_for_end();
    });
    let error = open(&[Address::Bus(address(&"f".repeat(32)))], soon()).err().unwrap().to_string();
    for cause in ["No such file", "'tcp' is not supported", "another server"] {
        assert!(error.contains(cause), "{error}");
    }
    peer.join().unwrap();
}

#[test]
fn doors_are_tried_in_their_order_and_each_is_named_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus");
    let none = Address::Socket(directory.path().join("none"));
    let peer = listen(&path, |peer| {
        hear_until(peer, b"BEGIN\r\n");
        peer.say(WELCOME);
        peer.wait_for_end();
    });
    drop(open(&[none.clone(), Address::Socket(path)], soon()).unwrap());
    peer.join().unwrap();
    let long = Address::Socket(directory.path().join("x".repeat(200)));
    let error = open(&[none, long, Address::Bus("nonsense".into())], soon()).err().unwrap().to_string();
    for cause in ["(No such file or directory), nor at", "(File name too long)", "'unix:path=PATH'"] {
        assert!(error.contains(cause), "{error}");
    }
}
