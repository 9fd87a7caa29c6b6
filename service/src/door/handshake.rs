//! The greeting of a D-Bus connection, server side (D-Bus specification, "Authentication Protocol").
//!
//! One mechanism: EXTERNAL, and what it claims must be what the kernel says. Clients differ: sd-bus sends all its lines at
//! once, others wait for each answer; some name their uid at once, some when asked, some never.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::message::inbox::Inbox;
use crate::message::outbox;

/// Longest line, its end not counted. Real ones stay below 50 bytes.
const LONGEST_LINE: usize = 256;

/// Most lines before BEGIN. Real clients send four.
const MOST_LINES: usize = 32;

/// The greeting as a whole has its time; an answer needs none of its own.
const PATIENCE: Duration = Duration::MAX;

/// A greeted client.
pub(super) struct Greeted {
    /// What came behind the greeting.
    pub(super) inbox: Inbox,
    /// Whether descriptors may be passed.
    pub(super) passes_fds: bool,
}

/// Greets a client whose uid is `uid`.
///
/// # Errors
/// The client went away, or does not speak the protocol.
pub(super) async fn greet(socket: &AsyncFd<OwnedFd>, uid: u32, guid: &str) -> io::Result<Greeted> {
    let mut inbox = Inbox::new();
    let mut dialogue = Dialogue::new(uid, guid);
    let mut lines = 0;
    if receive(&mut inbox, socket).await? != Some(0) {
        return Err(violation("no zero byte at the beginning"));
    }
    inbox.consume(1);
    loop {
        let mut answers = String::new();
        while let Some((line, len)) = first_line(inbox.bytes())? {
            let answer = dialogue.answer(line);
            inbox.consume(len);
            lines += 1;
            match answer {
                Answer::Line(text) => {
                    answers.push_str(&text);
                    answers.push_str("\r\n");
                }
                Answer::Begun => {
                    outbox::send_all(socket, answers.as_bytes(), &[], PATIENCE).await?;
                    return finish(inbox, dialogue.passes_fds);
                }
            }
            if lines == MOST_LINES {
                return Err(violation("too many lines before BEGIN"));
            }
        }
        outbox::send_all(socket, answers.as_bytes(), &[], PATIENCE).await?;
        receive(&mut inbox, socket).await?;
    }
}

/// Waits for more; the first byte of what is there.
async fn receive(inbox: &mut Inbox, socket: &AsyncFd<OwnedFd>) -> io::Result<Option<u8>> {
    if inbox.receive(socket).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(inbox.bytes().first().copied())
}

fn finish(inbox: Inbox, passes_fds: bool) -> io::Result<Greeted> {
    if inbox.descriptors() > 0 && !passes_fds {
        return Err(violation("file descriptors were not negotiated"));
    }
    Ok(Greeted { inbox, passes_fds })
}

/// The first line and its length with its end; `None` while it has no end.
fn first_line(bytes: &[u8]) -> io::Result<Option<(&str, usize)>> {
    let end = bytes.windows(2).take(LONGEST_LINE + 1).position(|pair| pair == b"\r\n");
    match end.and_then(|end| bytes.get(..end)) {
        Some(line) => {
            let text = std::str::from_utf8(line).map_err(|_| violation("a line that is not text"))?;
            Ok(Some((text, line.len() + 2)))
        }
        None if bytes.len() > LONGEST_LINE + 1 => Err(violation("a line too long")),
        None => Ok(None),
    }
}

fn violation(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What the server waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Auth,
    Data,
    Begin,
}

enum Answer {
    Line(String),
    Begun,
}

/// Answers one line after the other. Knows no socket.
struct Dialogue {
    /// The uid as clients write it: hexadecimal digits of the decimal digits.
    identity: String,
    guid: String,
    state: State,
    passes_fds: bool,
}

impl Dialogue {
    fn new(uid: u32, guid: &str) -> Self {
        let identity = uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        Self { identity, guid: guid.to_owned(), state: State::Auth, passes_fds: false }
    }

    fn answer(&mut self, line: &str) -> Answer {
        let mut words = line.split_ascii_whitespace();
        let (command, argument, more) = (words.next().unwrap_or_default(), words.next(), words.next());
        match (self.state, command) {
            (State::Auth, "AUTH") if argument == Some("EXTERNAL") => match more {
                Some(identity) => self.identify(identity),
                None => {
                    self.state = State::Data;
                    Answer::Line("DATA".into())
                }
            },
            (State::Auth, "AUTH") => self.reject(),
            // No identity at all is the one the kernel vouches for.
            (State::Data, "DATA") => match argument {
                Some(identity) => self.identify(identity),
                None => self.accept(),
            },
            (State::Begin, "BEGIN") => Answer::Begun,
            (State::Begin, "NEGOTIATE_UNIX_FD") => {
                self.passes_fds = true;
                Answer::Line("AGREE_UNIX_FD".into())
            }
            (_, "CANCEL" | "ERROR") => self.reject(),
            _ => Answer::Line("ERROR \"unknown or misplaced command\"".into()),
        }
    }

    fn identify(&mut self, identity: &str) -> Answer {
        if identity.eq_ignore_ascii_case(&self.identity) { self.accept() } else { self.reject() }
    }

    fn accept(&mut self) -> Answer {
        self.state = State::Begin;
        Answer::Line(format!("OK {}", self.guid))
    }

    fn reject(&mut self) -> Answer {
        (self.state, self.passes_fds) = (State::Auth, false);
        Answer::Line("REJECTED EXTERNAL".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server of uid 1000 answers to these lines.
    fn answers(lines: &[&str]) -> Vec<String> {
        let mut dialogue = Dialogue::new(1000, "abc");
        let answer = |line: &&str| match dialogue.answer(line) {
            Answer::Line(text) => text,
            Answer::Begun => "(begun)".into(),
        };
        lines.iter().map(answer).collect()
    }

    #[test]
    fn real_clients_are_greeted() {
        let libdbus = ["AUTH EXTERNAL 31303030", "NEGOTIATE_UNIX_FD", "BEGIN"];
        assert_eq!(answers(&libdbus), ["OK abc", "AGREE_UNIX_FD", "(begun)"]);
        let sd_bus = ["AUTH EXTERNAL", "DATA", "NEGOTIATE_UNIX_FD", "BEGIN"];
        assert_eq!(answers(&sd_bus), ["DATA", "OK abc", "AGREE_UNIX_FD", "(begun)"]);
        let gdbus = ["AUTH", "AUTH EXTERNAL 31303030", "NEGOTIATE_UNIX_FD", "BEGIN"];
        assert_eq!(answers(&gdbus), ["REJECTED EXTERNAL", "OK abc", "AGREE_UNIX_FD", "(begun)"]);
        let challenged = ["AUTH EXTERNAL", "DATA 31303030", "BEGIN"];
        assert_eq!(answers(&challenged), ["DATA", "OK abc", "(begun)"]);
    }

    #[test]
    fn a_claim_of_another_uid_is_rejected() {
        for claim in ["AUTH EXTERNAL 30", "AUTH EXTERNAL 3130303", "AUTH EXTERNAL zz", "AUTH ANONYMOUS", "AUTH"] {
            assert_eq!(answers(&[claim, "BEGIN"]).first().unwrap(), "REJECTED EXTERNAL");
        }
        assert_eq!(answers(&["AUTH EXTERNAL", "DATA 30"]), ["DATA", "REJECTED EXTERNAL"]);
    }

    #[test]
    fn nothing_begins_before_the_client_is_known() {
        let misplaced = "ERROR \"unknown or misplaced command\"";
        assert_eq!(answers(&["BEGIN", "NEGOTIATE_UNIX_FD", "DATA", ""]), [misplaced; 4]);
        assert_eq!(answers(&["AUTH EXTERNAL", "BEGIN"]), ["DATA", misplaced]);
        assert_eq!(answers(&["AUTH EXTERNAL 31303030", "CANCEL", "BEGIN"]), ["OK abc", "REJECTED EXTERNAL", misplaced]);
    }

    #[test]
    fn lines_are_bounded() {
        assert!(first_line(b"AUTH EXTERNAL").unwrap().is_none());
        assert_eq!(first_line(b"BEGIN\r\nrest").unwrap(), Some(("BEGIN", 7)));
        assert!(first_line(&[b'A'; LONGEST_LINE + 2]).is_err());
        assert!(first_line(b"\xFF\r\n").is_err());
    }
}
