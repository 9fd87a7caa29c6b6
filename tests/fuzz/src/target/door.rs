//! What anybody on this machine can say to the daemon's own socket: the greeting, then messages, with descriptors or
//! without.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokenvault_proto::{Dictionary, GetOptions};
use tokenvaultd::door::{DoorLimits, Host, Peer, PrivateDoor, Welcome, bind};
use tokenvaultd::fast_path::{Call, FastPath, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::sync::watch;
use zbus::{Message, OwnedVariant};

use crate::{dbus, served};

/// A client whom the kernel vouches for, with descriptors and without.
const WITH_FDS: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
const WITHOUT: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
/// Descriptors of which so many may wait in the door; who sends more is hung up on, maybe before its greeting is answered.
const MOST_FDS: usize = 4;
/// After how many clients of any kind an honest one is served too.
const HONEST: u64 = 32;

/// What stands behind the door: it looks at every call as the vault does, and answers none.
struct House;

impl Host for House {
    fn welcome(&self, _peer: &Peer) -> Welcome {
        Welcome { fast_path: Some(Arc::new(Looks)), serve: Box::new(|builder| builder) }
    }
}

struct Looks;

impl FastPath for Looks {
    fn answer(&self, call: &Call<'_>) -> Option<Reply> {
        let (_name, options): (&str, HashMap<String, OwnedVariant>) = call.arguments()?;
        let _refused = GetOptions::from_dict(options);
        None
    }
}

/// The door, open for good.
fn place() -> PathBuf {
    static DOOR: OnceLock<(TempDir, watch::Sender<bool>)> = OnceLock::new();
    let (dir, _stop) = DOOR.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = bind(&dir.path().join("bus"), 0o600).expect("a socket");
        let (stop, stopped) = watch::channel(false);
        let limits = DoorLimits { connections: 0, ..DoorLimits::default() };
        let door = PrivateDoor::new(socket, watch::channel(limits).1, stopped, Arc::new(House)).expect("a door");
        tokio::spawn(door.run());
        (dir, stop)
    });
    dir.path().join("bus")
}

/// The first byte says how the client greets and how many descriptors come with what it says then.
pub fn run(data: &[u8]) {
    static CLIENTS: AtomicU64 = AtomicU64::new(0);
    let [form, said @ ..] = data else { return };
    let (greeting, fds) = match form % 8 {
        0 | 1 => (&b""[..], 0),
        2 => (WITHOUT, 0),
        3 => (WITHOUT, 1),
        4 | 5 => (WITH_FDS, 0),
        _ => (WITH_FDS, usize::from(form / 8 % 6)),
    };
    let answers = served::run(exchange(greeting, said, dbus::pipes(fds, said)));
    if !greeting.is_empty() && fds <= MOST_FDS {
        let messages = behind_greeting(&answers, if greeting == WITH_FDS { 3 } else { 2 });
        assert!(dbus::are_answers(messages), "what it says are whole messages: {messages:?}");
    }
    if CLIENTS.fetch_add(1, Ordering::Relaxed).is_multiple_of(HONEST) {
        let hello = Message::method_call("/org/freedesktop/DBus", "Hello").interface("org.freedesktop.DBus");
        let hello = hello.build(&()).expect("a call");
        let answers = served::run(exchange(WITH_FDS, hello.data().bytes(), Vec::new()));
        assert!(answers.windows(4).any(|text| text == b":1.1"), "others are served all the same");
    }
}

/// What is said behind so many lines.
fn behind_greeting(mut answers: &[u8], lines: usize) -> &[u8] {
    for _ in 0..lines {
        let end = answers.windows(2).position(|pair| pair == b"\r\n").expect("an honest greeting is answered");
        answers = &answers[end + 2..];
    }
    answers
}

/// Says everything, and hears everything until the door hangs up.
async fn exchange(greeting: &[u8], said: &[u8], fds: Vec<OwnedFd>) -> Vec<u8> {
    let stream = UnixStream::connect(place()).await.expect("the door is open");
    let (mut answers, (mut from, mut to)) = (Vec::new(), stream.into_split());
    let says = async {
        to.write_all(greeting).await?;
        let mut said = said;
        if !fds.is_empty() && !said.is_empty() {
            to.writable().await?;
            let sent = to.as_ref().async_io(Interest::WRITABLE, || dbus::send(to.as_ref(), said, &fds)).await?;
            said = &said[sent..];
        }
        to.write_all(said).await?;
        to.shutdown().await
    };
    // Who is hung up on hears why, or nothing.
    let (_hung_up, _reset): (io::Result<()>, _) = tokio::join!(says, from.read_to_end(&mut answers));
    answers
}
