//! The greeting of a D-Bus connection, client side (D-Bus specification, "Authentication Protocol").
//!
//! All lines are sent at once, with the first call behind them, so that a door is open after one exchange.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::unistd::geteuid;

use crate::deadline;
use crate::inbox::Inbox;
use crate::stream::Stream;

/// Longest line taken, its end included.
const LONGEST_LINE: usize = 1024;

/// What is to come through a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Values, by descriptors.
    Descriptors,
    /// Bytes alone: nobody on a bus can send it a descriptor.
    Bytes,
}

/// Why nobody is there to talk to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The other side's own words, or what it did instead.
    Said(String),
    /// The socket's.
    Broken(Errno),
}

/// Greets, and sends `call` behind the greeting. What came behind the answers is left in the inbox.
///
/// # Errors
/// The other side does not want this client, is not the one with `guid`, or does not speak the protocol.
pub(crate) fn greet(
    stream: &Stream,
    inbox: &mut Inbox,
    call: &[u8],
    (guid, carries): (Option<&str>, Carries),
    until: Instant,
) -> Result<(), Refused> {
    let digits: String = geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    let negotiates = if carries == Carries::Descriptors { "NEGOTIATE_UNIX_FD\r\n" } else { "" };
    let mut bytes = format!("\0AUTH EXTERNAL {digits}\r\n{negotiates}BEGIN\r\n").into_bytes();
    bytes.extend_from_slice(call);
    // Who turns clients away says why and hangs up, maybe before it has heard anything: its words count.
    let sent = send_all(stream, &bytes, until);
    let answer = next_line(stream, inbox, until).map_err(|refused| match (refused, sent) {
        (Refused::Broken(_), Err(errno)) => Refused::Broken(errno),
        (refused, _) => refused,
    })?;
    let server = answer.strip_prefix("OK").ok_or_else(|| refusal(&answer))?.trim();
    if guid.is_some_and(|guid| !guid.eq_ignore_ascii_case(server)) {
        return Err(Refused::Said("another server answers than the address names by its guid".to_owned()));
    }
    if carries == Carries::Bytes {
        return Ok(());
    }
    match next_line(stream, inbox, until)?.as_str() {
        "AGREE_UNIX_FD" => Ok(()),
        answer => Err(Refused::Said(format!("it takes no file descriptors, which values need: {}", said(answer)))),
    }
}

fn send_all(stream: &Stream, mut bytes: &[u8], until: Instant) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match stream.send(bytes, &[])? {
            0 => deadline::wait(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)], until)?,
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// The next line without its end.
fn next_line(stream: &Stream, inbox: &mut Inbox, until: Instant) -> Result<String, Refused> {
    loop {
        let bytes = inbox.bytes();
        if let Some(len) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).trim_end().to_owned();
            inbox.consume(len + 1);
            return Ok(line);
        }
        if bytes.len() >= LONGEST_LINE {
            return Err(Refused::Said("what answers does not speak D-Bus".to_owned()));
        }
        if stream.receive(inbox, until).map_err(Refused::Broken)? == 0 {
            return Err(Refused::Broken(Errno::ECONNRESET));
        }
    }
}

fn refusal(answer: &str) -> Refused {
    Refused::Said(match answer.split_ascii_whitespace().next() {
        Some("ERROR") => said(answer),
        Some("REJECTED") => "this user is not who the connection says it is".to_owned(),
        _ => "what answers does not speak D-Bus".to_owned(),
    })
}

/// The text of an ERROR line, on one line and without its quotation marks.
fn said(answer: &str) -> String {
    let text = answer.strip_prefix("ERROR").unwrap_or(answer).trim();
    text.trim_matches('"').replace(char::is_control, " ")
}
