//! The one error of this crate: a code of the contract's table and one line for people.

use std::borrow::Cow;
use std::time::Duration;

use tokenvault_proto::memory::{self, NoMemory};
use tokenvault_proto::{ERROR_PREFIX, ErrorCode};
use zbus::Message;

/// Where to look when the daemon does not answer.
const LOOK: &str = "see 'systemctl status tokenvaultd'";
/// Characters of what others say: more than people read.
const SAID_MAX: usize = 2048;

/// Why a call failed: what happened and what to do next, on one line, never anything of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: ErrorCode,
    /// Not owned where memory has run out: to say so takes none.
    message: Cow<'static, str>,
}

impl Error {
    /// The row of the contract's table.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The line for people.
    pub fn into_text(self) -> Cow<'static, str> {
        self.message
    }

    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// The caller's mistake, found before anything was sent.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidArgs, message)
    }

    /// No door could be opened. `tried` names each with its reason.
    pub(crate) fn unreachable(tried: &str) -> Self {
        Self::new(ErrorCode::Unavailable, format!("cannot reach the vault at {tried}; {LOOK}"))
    }

    /// The connection broke before the call was sent, twice.
    pub(crate) fn unsent(cause: &str) -> Self {
        Self::new(ErrorCode::Unavailable, format!("the daemon closed the connection ({cause}); {LOOK}"))
    }

    /// The connection broke with the call under way.
    pub(crate) fn lost(member: &str, cause: &str, repeatable: bool) -> Self {
        let next = if repeatable { "try again" } else { "check before you repeat it" };
        let message = format!(
            "the connection was lost while {member} was under way ({cause}): whether it was done is unknown; {next}"
        );
        Self::new(ErrorCode::Unavailable, message)
    }

    /// No answer came in time.
    pub(crate) fn late(member: &str, deadline: Duration, repeatable: bool) -> Self {
        let next = if repeatable { "" } else { "whether it was done is unknown; " };
        Self::new(ErrorCode::Timeout, format!("no answer to {member} within {deadline:?}; {next}{LOOK}"))
    }

    /// Calls of other threads took all of the time.
    pub(crate) fn queued(member: &str, deadline: Duration) -> Self {
        let message = format!("other calls of this client took the {deadline:?} that {member} had: it was not sent");
        Self::new(ErrorCode::Timeout, format!("{message}; try again"))
    }

    /// An answer this client does not understand.
    pub(crate) fn malformed(member: &str, cause: &dyn std::fmt::Display) -> Self {
        let message = format!("the answer to {member} is not understood ({cause}); update client and daemon together");
        Self::new(ErrorCode::Failed, message)
    }

    /// What came back could not be read: there was no memory for it, or it is no answer.
    pub(crate) fn unread(member: &str, repeatable: bool, cause: &zbus::Error) -> Self {
        if NoMemory::is_in(cause) { Self::no_memory_for_answer(repeatable) } else { Self::malformed(member, cause) }
    }

    /// This program has no memory for the answer.
    pub(crate) fn no_memory_for_answer(repeatable: bool) -> Self {
        let message = if repeatable {
            "this program has no memory left for the answer; free some and try again"
        } else {
            "this program has no memory left for the answer: whether it was done is unknown; free some, and check before \
             you repeat it"
        };
        Self::new(ErrorCode::LimitsExceeded, message)
    }

    /// The connection signals came through is gone.
    pub(crate) fn deaf(cause: &str) -> Self {
        let message = format!("the connection was lost ({cause}); subscribe again, then read again what you list");
        Self::new(ErrorCode::Unavailable, message)
    }

    /// There was no memory for a signal.
    pub(crate) fn lost_signal() -> Self {
        let message =
            "this program had no memory left for a signal, which is lost; free some, then read again what you list";
        Self::new(ErrorCode::LimitsExceeded, message)
    }

    /// A system call of this process failed.
    pub(crate) fn local(doing: &str, cause: &dyn std::fmt::Display) -> Self {
        Self::new(ErrorCode::Failed, format!("cannot {doing}: {cause}"))
    }

    /// The client was made by another process, this one's parent.
    pub(crate) fn forked() -> Self {
        let message = "this client belongs to the parent process; open a new one after fork()";
        Self::new(ErrorCode::Unavailable, message)
    }

    /// The error that a reply carries. The daemon's own text is kept; a bus or a library speaks for itself and says
    /// nothing of what to do.
    pub(crate) fn from_reply(reply: &Message) -> Self {
        let header = reply.header();
        let name = header.error_name().map_or("", |name| name.as_str());
        let code = ErrorCode::from_dbus_name(name);
        let body = reply.body();
        let text = body.deserialize::<&str>().unwrap_or_default();
        let text = text.char_indices().nth(SAID_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
        if name.starts_with(ERROR_PREFIX) && !text.is_empty() {
            // Without memory for its own text, the one that all of its kind have.
            return memory::text(text)
                .map_or_else(|NoMemory| Self::new(code, code.text()), |text| Self::new(code, text));
        }
        match code {
            ErrorCode::Unavailable => Self::new(code, format!("the vault is not on the bus ({name}: {text}); {LOOK}")),
            _ => Self::new(code, format!("{} ({name}: {text})", code.text())),
        }
    }
}

/// Before anything was sent.
impl From<NoMemory> for Error {
    fn from(NoMemory: NoMemory) -> Self {
        let message = "this program has no memory left for the call: nothing was done; free some and try again";
        Self::new(ErrorCode::LimitsExceeded, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_end_is_cut_off_where_people_stop_reading() {
        let call = Message::method_call("/a", "B").build(&()).unwrap();
        for name in ["org.tokenvault1.Error.NotFound", "org.freedesktop.DBus.Error.ServiceUnknown", "a.b"] {
            let reply = Message::error(&call.header(), name).build(&"é".repeat(1 << 20)).unwrap();
            let error = Error::from_reply(&reply);
            assert_eq!(error.code(), ErrorCode::from_dbus_name(name));
            assert!(error.to_string().chars().count() < 2 * SAID_MAX, "{name}");
        }
    }

    #[test]
    fn what_has_no_memory_says_what_has_become_of_the_call() {
        let text = |repeatable| Error::unread("Put", repeatable, &NoMemory.of()).to_string();
        assert!(!text(true).contains("unknown") && text(false).contains("unknown"));
        assert!(Error::from(NoMemory).to_string().contains("nothing was done"));
        assert_eq!(Error::from(NoMemory).code(), ErrorCode::LimitsExceeded);
    }
}
