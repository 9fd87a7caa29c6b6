//! `list --follow`: the list, and then every change as it happens.
//!
//! Subscribed first and listed then, so that nothing is missed in between. Where something is not told, after a restart of the
//! daemon for one, everything is listed anew.

use std::io;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use tokenvault_client::{Client, Notice, Subscription};
use tokenvault_proto::{ErrorCode, TokenInfo};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{escape, moment};
use crate::parse;

/// Waits before the vault is tried again: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What is listed and followed.
pub struct Followed<'a> {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Whose tokens, as the list was asked for.
    pub owner: Option<String>,
    /// Fetches the list and prints it.
    pub list: &'a dyn Fn(&Client) -> Result<Vec<TokenInfo>, Failure>,
    /// Prints the list.
    pub print: &'a dyn Fn(&[TokenInfo]) -> Result<(), Failure>,
}

/// One line about a change.
#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    owner: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

/// What comes after a notice.
enum Next {
    GoOn,
    ListAgain,
}

/// Lists and follows until the reader of standard output goes away, or the program is ended.
pub fn run(context: &Context, followed: &Followed<'_>) -> Result<(), Failure> {
    let mut ended = follow(context, followed)?;
    let mut wait = RETRY.0;
    loop {
        context.output.note(&format!("{ended}; waiting for the vault"));
        ended = loop {
            thread::sleep(wait);
            wait = (wait * 2).min(RETRY.1);
            match follow(context, followed) {
                Ok(ended) => break ended,
                Err(failure) if failure.may_pass() => {}
                Err(failure) => return Err(failure),
            }
        };
        wait = RETRY.0;
    }
}

/// Lists, and follows until the connection is lost; how that is said.
fn follow(context: &Context, followed: &Followed<'_>) -> Result<String, Failure> {
    let client = context.client()?;
    let mut subscription = client.subscribe()?;
    let owner = owner_of(&client, followed.owner.as_deref())?;
    (followed.print)(&(followed.list)(&client)?)?;
    loop {
        match subscription.next(Duration::ZERO) {
            Ok(Some(notice)) => match tell(context, followed, &owner, &notice)? {
                Next::GoOn => {}
                Next::ListAgain => (followed.print)(&(followed.list)(&client)?)?,
            },
            Ok(None) => wait(&subscription)?,
            Err(error) if passes(error.code()) => return Ok(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether what a vault says passes by itself: it was stopped, or is busy.
const fn passes(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::LimitsExceeded)
}

/// Waits for a signal, or for the reader of standard output to go away.
fn wait(subscription: &Subscription) -> Result<(), Failure> {
    let stdout = io::stdout();
    let mut fds =
        [PollFd::new(subscription.as_fd(), PollFlags::POLLIN), PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(errno) => return Err(Failure::io("cannot wait for changes", &errno.into(), "run it again")),
    }
    let [_, reader] = fds;
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    if reader.revents().is_some_and(|events| events.intersects(gone)) {
        return Err(Failure::stdout(&io::ErrorKind::BrokenPipe.into()));
    }
    Ok(())
}

/// Prints a notice, where it is about what is listed.
fn tell(context: &Context, followed: &Followed<'_>, listed: &str, notice: &Notice) -> Result<Next, Failure> {
    let event = match notice {
        Notice::Lost => return Ok(Next::ListAgain),
        Notice::Changed { owner, name, .. } if name.is_empty() => {
            return Ok(if owner == listed { Next::ListAgain } else { Next::GoOn });
        }
        Notice::Changed { owner, name, change, version } => {
            Event { change: Some(change), version: Some(*version), ..event("token-changed", owner, name) }
        }
        Notice::Expiring { owner, name, expires } => {
            Event { expires: Some(*expires), ..event("token-expiring", owner, name) }
        }
        Notice::Shared { .. } | Notice::Operation(_) => return Ok(Next::GoOn),
    };
    if event.owner != listed || followed.prefix.as_ref().is_some_and(|prefix| !event.name.starts_with(prefix)) {
        return Ok(Next::GoOn);
    }
    if context.output.wants_json() {
        context.output.json(&event)?;
    } else {
        context.output.result_line(&line(&event))?;
    }
    Ok(Next::GoOn)
}

const fn event<'a>(event: &'static str, owner: &'a str, name: &'a str) -> Event<'a> {
    Event { event, owner, name, change: None, version: None, expires: None }
}

fn line(event: &Event<'_>) -> String {
    let (now, name) = (moment(parse::time_now()), escape(event.name));
    match (event.change, event.version, event.expires) {
        (_, _, Some(expires)) => format!("{now}  {name}  expires {}", moment(expires)),
        (Some(change), Some(version), _) if version > 0 => {
            format!("{now}  {name}  {}, version {version}", escape(change))
        }
        (change, _, _) => format!("{now}  {name}  {}", escape(change.unwrap_or_default())),
    }
}

/// The owner whose tokens are listed, as signals name it.
fn owner_of(client: &Client, owner: Option<&str>) -> Result<String, Failure> {
    let unknown = |name: &str| Failure::usage(format!("there is no user '{}'", escape(name)), "see 'getent passwd'");
    match owner {
        None => Ok(format!("uid:{}", client.who_am_i()?.uid)),
        Some("machine") => Ok("uid:0".to_owned()),
        Some(owner) => match owner.strip_prefix("user:") {
            Some(name) => {
                let user = nix::unistd::User::from_name(name).ok().flatten().ok_or_else(|| unknown(name))?;
                Ok(format!("uid:{}", user.uid))
            }
            None => Ok(owner.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_happened_and_no_name_breaks_it() {
        let changed = Event { change: Some("put"), version: Some(3), ..event("token-changed", "uid:7", "a\n\u{1b}b") };
        let text = line(&changed);
        assert!(text.ends_with("a\\n\\u{1b}b  put, version 3") && text.lines().count() == 1, "{text}");
        assert!(line(&Event { version: Some(0), change: Some("deleted"), ..changed }).ends_with("deleted"));
        let soon = Event { expires: Some(0), ..event("token-expiring", "uid:7", "t") };
        assert!(line(&soon).contains("t  expires 1970-01-01"), "{}", line(&soon));
    }
}
