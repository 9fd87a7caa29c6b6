//! Why a command ends without having done its work, and the exit status that says so.

use std::fmt;
use std::io;

use tokenvault_proto::ErrorCode;

use crate::output::escape;
use crate::sudo::as_typed;

/// Exit status of a command that was interrupted at a prompt, as a shell reports SIGINT.
const CANCELLED: u8 = 130;
/// Exit status of a command whose reader went away, as a shell reports SIGPIPE.
const READER_GONE: u8 = 141;

/// Exit status of a command that did not do its work, where the contract's table has none that says why.
pub const UNDONE: u8 = 1;

/// The owner that is the system.
const MACHINE: &str = "machine";
/// What the vault says of a name says which rule it breaks; these are all.
const NAME_RULES: &str =
    "a name is at most 255 bytes of UTF-8 without control characters, and between '/' no part is empty, '.' or '..'";

/// The end of a command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Something to say, in one line: cause, then next step.
    Told {
        /// Exit status.
        status: u8,
        /// The row of the contract's table, where it is one.
        code: Option<ErrorCode>,
        /// The line.
        text: String,
    },
    /// Everything was said already.
    Silent(u8),
}

impl Failure {
    /// `cause; next`, with the exit status of `code`.
    pub fn new(code: ErrorCode, cause: impl fmt::Display, next: impl fmt::Display) -> Self {
        Self::Told { status: code.exit_status(), code: Some(code), text: format!("{cause}; {next}") }
    }

    /// The command was given something it cannot work with.
    pub fn usage(cause: impl fmt::Display, next: impl fmt::Display) -> Self {
        Self::new(ErrorCode::InvalidArgs, cause, next)
    }

    /// As [`Failure::new`], for the few states that the table of errors does not have.
    pub fn with_status(status: u8, cause: impl fmt::Display, next: impl fmt::Display) -> Self {
        Self::Told { status, code: None, text: format!("{cause}; {next}") }
    }

    /// As the daemon told it.
    pub fn told(code: ErrorCode, text: &str) -> Self {
        Self::Told { status: code.exit_status(), code: Some(code), text: complete(code, text) }
    }

    /// As the daemon told it to a command that a timer starts. The timer's unit takes the exit status of a sealed vault for no
    /// fault; a vault in quarantine, which has the same, is one.
    pub fn told_to_timer(code: ErrorCode, text: &str) -> Self {
        let status = if code == ErrorCode::Quarantined { UNDONE } else { code.exit_status() };
        Self::Told { status, code: Some(code), text: complete(code, text) }
    }

    /// Something outside the vault refused: a file, a terminal, a program.
    pub fn io(what: impl fmt::Display, error: &io::Error, next: impl fmt::Display) -> Self {
        let code = match error.kind() {
            // A descriptor that is not open: the library has no kind for it.
            _ if error.raw_os_error() == Some(nix::libc::EBADF) => ErrorCode::InvalidArgs,
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => {
                ErrorCode::InvalidArgs
            }
            io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
            io::ErrorKind::AlreadyExists => ErrorCode::Exists,
            _ => ErrorCode::Unavailable,
        };
        Self::new(code, format_args!("{what}: {}", describe(error)), next)
    }

    /// Standard output could not be written. A reader that went away is no fault and needs no words.
    pub fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Silent(READER_GONE);
        }
        Self::io("cannot write to standard output", error, "look at where it is redirected to")
    }

    /// A call about one of several tokens failed.
    pub fn of_token(name: &str, error: &tokenvault_client::Error) -> Self {
        let text = format!("token '{name}': {}", complete(error.code(), &error.to_string()));
        Self::Told { status: error.code().exit_status(), code: Some(error.code()), text }
    }

    /// A call about one version of a token failed. The vault does not say which of the two is missing.
    pub fn of_version(name: &str, version: Option<u64>, error: tokenvault_client::Error) -> Self {
        match (error.code(), version) {
            (ErrorCode::NotFound, Some(version)) => Self::new(
                ErrorCode::NotFound,
                format_args!("no such token, or no version {version} of it"),
                format_args!("see 'tokenvault versions {name}'"),
            ),
            _ => error.into(),
        }
    }

    /// A call about a token of `owner` failed. What somebody else has is in no list of one's own.
    pub fn of_owner(owner: Option<&str>, error: tokenvault_client::Error) -> Self {
        match (error.code(), owner) {
            (ErrorCode::NotFound, Some(owner)) if owner != MACHINE => {
                Self::new(ErrorCode::NotFound, error, "see 'tokenvault list --shared-with-me'")
            }
            _ => error.into(),
        }
    }

    /// The user gave up at a prompt.
    pub fn cancelled() -> Self {
        Self::with_status(CANCELLED, "cancelled at the prompt", "run the command again when you are ready")
    }

    /// Exit status of the command.
    pub fn status(&self) -> u8 {
        match self {
            Self::Told { status, .. } | Self::Silent(status) => *status,
        }
    }

    /// Whether the vault may answer otherwise a moment later: it is not reachable, or not open yet. Out of a quarantine it comes
    /// by somebody's doing alone.
    pub fn may_pass(&self) -> bool {
        let passing = [ErrorCode::Unavailable, ErrorCode::Timeout, ErrorCode::Sealed];
        matches!(self, Self::Told { code: Some(code), .. } if passing.contains(code))
    }

    /// Cause and next step, as [`Failure::line`] has them.
    pub fn parts(&self) -> (String, String) {
        let line = self.line().unwrap_or_default();
        let (cause, next) = line.rsplit_once("; ").unwrap_or((&line, ""));
        (cause.to_owned(), next.to_owned())
    }

    /// What goes to standard error, safe for a terminal and in one line.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Told { text, .. } => Some(escape(&as_typed(text))),
            Self::Silent(_) => None,
        }
    }
}

impl From<tokenvault_client::Error> for Failure {
    fn from(error: tokenvault_client::Error) -> Self {
        Self::told(error.code(), &error.to_string())
    }
}

/// `text` with a next step, where the daemon, which says no more than it must, gives none.
fn complete(code: ErrorCode, text: &str) -> String {
    let text = as_written_here(text);
    if text.contains("; ") {
        return text;
    }
    let next = match code {
        ErrorCode::NotFound => "see 'tokenvault list'",
        ErrorCode::AccessDenied => "see 'tokenvault whoami'",
        ErrorCode::InvalidArgs if text.contains("the token name ") => NAME_RULES,
        ErrorCode::InvalidArgs => "see the command's --help",
        // The daemon cannot be asked for its state, or did not want to say more: what it wrote down does.
        ErrorCode::Unavailable | ErrorCode::Timeout => "see 'tokenvaultctl doctor' and 'journalctl -u tokenvaultd'",
        ErrorCode::Failed => "see 'journalctl -u tokenvaultd'",
        _ => "see 'tokenvault status'",
    };
    format!("{text}; {next}")
}

/// `text` of the daemon, which names options as its interface does, with their names on the command line: the same but for
/// their dashes. An option that the daemon does not know is none of the command line, but of a newer command.
fn as_written_here(text: &str) -> String {
    const OPTION: &str = "option '";
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPTION) {
        written.push_str(before);
        match after.split_once('\'') {
            Some((key, after)) if is_option(key) && !before.ends_with("unknown ") => {
                written.push_str("--");
                written.push_str(key);
                rest = after;
            }
            _ => {
                written.push_str(OPTION);
                rest = after;
            }
        }
    }
    written.push_str(rest);
    written
}

fn is_option(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The system's words for `error`, without the number that Rust appends.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_cannot_carry_terminal_commands() {
        let failure = Failure::usage("name '\u{1b}[2J\nx' is bad", "choose another");
        assert_eq!(failure.line().unwrap(), "name '\\u{1b}[2J\\nx' is bad; choose another");
        assert_eq!(failure.status(), 2);
    }

    #[test]
    fn a_sealed_vault_is_waited_for_and_is_no_fault_to_a_timer_and_one_in_quarantine_is() {
        for code in [ErrorCode::Sealed, ErrorCode::Unavailable, ErrorCode::Timeout] {
            assert!(Failure::told(code, "x; y").may_pass(), "{code:?}");
        }
        for code in [ErrorCode::Quarantined, ErrorCode::Locked, ErrorCode::LimitsExceeded, ErrorCode::AccessDenied] {
            assert!(!Failure::told(code, "x; y").may_pass(), "{code:?}");
        }
        let to_timer = |code| Failure::told_to_timer(code, "x; y").status();
        assert_eq!((to_timer(ErrorCode::Sealed), to_timer(ErrorCode::Quarantined)), (6, UNDONE));
    }

    #[test]
    fn a_reader_that_went_away_needs_no_words() {
        let failure = Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.line().is_none());
        assert_eq!(failure.status(), 141);
    }

    #[test]
    fn a_bare_cause_gets_a_next_step_and_a_full_line_stays() {
        assert_eq!(complete(ErrorCode::NotFound, "no such token"), "no such token; see 'tokenvault list'");
        assert!(complete(ErrorCode::InvalidArgs, "the token name is empty").ends_with(NAME_RULES));
        assert_eq!(complete(ErrorCode::Sealed, "sealed; run x"), "sealed; run x");
        for code in [ErrorCode::Unavailable, ErrorCode::Timeout, ErrorCode::Failed] {
            let line = complete(code, "it did not start");
            assert!(line.contains("'journalctl -u tokenvaultd'") && !line.contains("status"), "{code:?}: {line}");
        }
    }

    #[test]
    fn options_have_the_names_of_the_command_line() {
        let cases = [
            ("a purpose only; name it in option 'purpose'", "a purpose only; name it in --purpose"),
            ("option 'owner' must be 'machine'; option 'class' too", "--owner must be 'machine'; --class too"),
            ("unknown option 'newer'; x", "unknown option 'newer'; x"),
            ("option 'No Key' and option 'cut; x", "option 'No Key' and option 'cut; x"),
        ];
        for (told, written) in cases {
            assert_eq!(complete(ErrorCode::InvalidArgs, told), written);
        }
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_a_mistake_of_the_command_line() {
        let failure = Failure::io("cannot read descriptor 9", &io::Error::from(nix::errno::Errno::EBADF), "open it");
        assert_eq!(failure.status(), 2);
    }

    #[test]
    fn the_number_of_an_os_error_is_left_out() {
        assert_eq!(describe(&io::Error::from_raw_os_error(2)), "No such file or directory");
    }
}
