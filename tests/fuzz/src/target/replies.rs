//! What a program that only says that it is the vault answers to the library that C, Python and Go programs are linked to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokenvault_client::{Address, Client};

/// How long anybody waits: what comes, comes at once.
const DEADLINE: Duration = Duration::from_millis(200);
/// The end of what a client says of itself, and what a vault says to that.
const BEGIN: &[u8] = b"BEGIN\r\n";
const GREETING: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

/// What is asked for, and the types of its answer.
type Question = (fn(&Client), &'static [u8]);

const QUESTIONS: [Question; 7] = [
    (|client| drop(client.list(&Default::default())), b"aa{sv}s"),
    (|client| drop(client.status()), b"a{sv}"),
    (|client| drop(client.who_am_i()), b"a{sv}"),
    (|client| drop(client.versions("a", &Default::default())), b"aa{sv}"),
    (|client| drop(client.shares("a", &Default::default())), b"aa{sv}"),
    (|client| drop(client.validate("a", &Default::default())), b"ba{sv}"),
    (|client| drop(client.get("a", &Default::default())), b"ha{sv}"),
];

/// How what is said is made an answer, by a byte.
#[derive(Clone, Copy)]
enum Form {
    /// It is the arguments of a reply to the call.
    Arguments,
    /// The arguments of an error.
    Error,
    /// All of a message.
    Message,
    /// What comes in the place of the greeting.
    Greeting,
}

impl Form {
    const fn of(byte: u8) -> Self {
        match byte % 8 {
            0..4 => Self::Arguments,
            4 | 5 => Self::Error,
            6 => Self::Message,
            _ => Self::Greeting,
        }
    }
}

/// A message that answers a call, as the D-Bus Specification has it, section "Message Format".
fn reply(serial: [u8; 4], form: Form, signature: &[u8], arguments: &[u8]) -> Vec<u8> {
    let error = matches!(form, Form::Error);
    let mut fields = [&[5, 1, b'u', 0][..], &serial].concat();
    if error {
        let name = b"org.tokenvault1.Error.NotFound";
        fields.extend([&[4, 1, b's', 0][..], &(name.len() as u32).to_le_bytes(), name, &[0]].concat());
        fields.resize(fields.len().next_multiple_of(8), 0);
    }
    let signature = if error { b"s" } else { signature };
    fields.extend([&[8, 1, b'g', 0, signature.len() as u8][..], signature, &[0]].concat());
    let head = [b'l', if error { 3 } else { 2 }, 0, 1];
    let (body, len) = ((arguments.len() as u32).to_le_bytes(), (fields.len() as u32).to_le_bytes());
    let mut message = [&head[..], &body, &1_u32.to_le_bytes(), &len, &fields].concat();
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(arguments);
    message
}

/// Reads until there is what is looked for in it, and behind that so much; `None` when it ends before.
fn read_until(peer: &mut UnixStream, begin: &[u8], more: usize) -> Option<Vec<u8>> {
    let (mut read, mut room) = (Vec::new(), [0; 4096]);
    loop {
        let at = read.windows(begin.len()).position(|window| window == begin).map(|at| at + begin.len());
        if let Some(rest) = at.and_then(|at| read.get(at..)).filter(|rest| rest.len() >= more) {
            return Some(rest.to_vec());
        }
        match peer.read(&mut room) {
            Ok(len @ 1..) => read.extend(&room[..len]),
            _ => return None,
        }
    }
}

/// Answers one call of whoever comes.
fn answer(peer: &mut UnixStream, form: Form, signature: &[u8], said: &[u8]) -> Option<()> {
    peer.set_read_timeout(Some(DEADLINE)).ok()?;
    if let Form::Greeting = form {
        read_until(peer, BEGIN, 0)?;
        return peer.write_all(said).ok();
    }
    // Both at once where the call came with what the client says of itself.
    peer.write_all(GREETING).ok()?;
    let call = read_until(peer, BEGIN, 16)?;
    let serial = call.get(8..12)?.try_into().ok()?;
    let message = match form {
        Form::Message => said.to_vec(),
        form => reply(serial, form, signature, said),
    };
    peer.write_all(&message).ok()
}

/// The first byte says what is asked for, the second in which form it is answered.
pub fn run(data: &[u8]) {
    static PLACE: OnceLock<TempDir> = OnceLock::new();
    let [question, form, said @ ..] = data else { return };
    let (ask, signature) = QUESTIONS[usize::from(*question) % QUESTIONS.len()];
    let path = PLACE.get_or_init(|| tempfile::tempdir().expect("a directory")).path().join("bus");
    let _none_yet = fs::remove_file(&path);
    let (listener, ends) = (UnixListener::bind(&path).expect("a socket"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok((mut peer, _)) = listener.accept() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let _gone = answer(&mut peer, Form::of(*form), signature, said);
            }
        });
        let address: Address = format!("unix:path={}", path.display()).parse().expect("an address");
        if let Ok(mut client) = Client::open_within(Some(&address), DEADLINE) {
            client.set_deadline(DEADLINE);
            ask(&client);
        }
        ends.store(true, Ordering::Relaxed);
        drop(UnixStream::connect(&path));
    });
}
