//! What a program that only says that it is the vault answers to the library that C, Python and Go programs are linked to.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use tokenvault_client::{Address, Client, Error, Value};

use crate::dbus::{self, Answer, BEGIN, GREETING};
use crate::pretended::{DEADLINE, pretend, read_until};

/// What is asked for, and the types of its answer.
type Question = (fn(&Client), &'static [u8]);

const QUESTIONS: [Question; 12] = [
    (|client| drop(client.list(&Default::default())), b"aa{sv}s"),
    (|client| drop(client.status()), b"a{sv}"),
    (|client| drop(client.who_am_i()), b"a{sv}"),
    (|client| drop(client.versions("a", &Default::default())), b"aa{sv}"),
    (|client| drop(client.shares("a", &Default::default())), b"aa{sv}"),
    (|client| drop(client.validate("a", &Default::default())), b"ba{sv}"),
    (|client| hold(client.get("a", &Default::default())), b"ha{sv}"),
    (|client| hold(client.get_stream("a", &Default::default()).and_then(|stream| stream.read_whole())), b"ha{sv}"),
    (|client| hold(client.generate("a", &Default::default())), b"ha{sv}"),
    (|client| drop(client.issue(&Default::default())), b"sst"),
    (|client| drop(client.offer("a", &Default::default())), b"sa{sv}"),
    (|client| drop(client.issued(&Default::default())), b"aa{sv}s"),
];

/// A value is as long as it was said to be.
fn hold(value: Result<Value, Error>) {
    if let Ok(value) = value {
        assert_eq!(value.data().len() as u64, value.info().size);
    }
}

/// How what is said is made an answer, by a byte.
#[derive(Clone, Copy)]
enum Form {
    /// It is the arguments of a reply to the call.
    Arguments,
    /// The same, behind two bytes: how many descriptors it says that it brings and how many it does, and how much is in
    /// them.
    Descriptors,
    /// The arguments of an error.
    Error,
    /// All of a message.
    Message,
    /// What comes in the place of the greeting.
    Greeting,
}

impl Form {
    const fn of(byte: u8) -> Self {
        match byte % 12 {
            0..4 => Self::Arguments,
            4 | 5 => Self::Error,
            6 => Self::Message,
            7 => Self::Greeting,
            _ => Self::Descriptors,
        }
    }
}

/// Answers one call of whoever comes.
fn answer(peer: &mut UnixStream, form: Form, signature: &[u8], said: &[u8]) -> Option<()> {
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
        Form::Error => dbus::reply(serial, Answer::Error, said),
        Form::Descriptors => return hand_over(peer, serial, signature, said),
        Form::Arguments | Form::Greeting => dbus::reply(serial, Answer::Return(signature, 0), said),
    };
    peer.write_all(&message).ok()
}

/// Answers with descriptors.
fn hand_over(peer: &mut UnixStream, serial: [u8; 4], signature: &[u8], said: &[u8]) -> Option<()> {
    let [counts, len, arguments @ ..] = said else { return None };
    let message = dbus::reply(serial, Answer::Return(signature, (counts % 16).into()), arguments);
    let pipes = dbus::pipes((counts / 16).into(), &[*len; 256][..usize::from(*len)]);
    let sent = dbus::send(&*peer, &message, &pipes).ok()?;
    peer.write_all(&message[sent..]).ok()
}

/// The first byte says what is asked for, the second in which form it is answered.
pub fn run(data: &[u8]) {
    let [question, form, said @ ..] = data else { return };
    let (ask, signature) = QUESTIONS[usize::from(*question) % QUESTIONS.len()];
    let answer = |peer: &mut UnixStream| {
        let _gone = answer(peer, Form::of(*form), signature, said);
    };
    pretend(answer, |path| {
        let address: Address = format!("unix:path={}", path.display()).parse().expect("an address");
        if let Ok(mut client) = Client::open_within(Some(&address), DEADLINE) {
            client.set_deadline(DEADLINE);
            ask(&client);
        }
    });
}
