//! The work that is left to `tokenvault-pam-helper`, and how it can end.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use crate::host::Level;
use crate::sys::Password;

/// What the helper is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Hand over the lease, and open the login class with the password.
    Open,
    /// Hand over the lease.
    Lease,
    /// Give the login class a second key: that of the new password beside that of the old one.
    SetKey,
}

impl Verb {
    /// The word on the helper's command line.
    pub(crate) const fn word(self) -> &'static CStr {
        match self {
            Self::Open => c"open",
            Self::Lease => c"lease",
            Self::SetKey => c"set-key",
        }
    }
}

/// One run of the helper.
pub(crate) struct Job<'a> {
    pub(crate) verb: Verb,
    /// Whose login class; the helper finds the uid, so that a directory service that hangs is hung on there.
    pub(crate) user: &'a CStr,
    /// What the helper reads from its standard input, each ended by a zero byte.
    pub(crate) secrets: &'a [&'a Password],
    /// The end of the lease for the daemon; the helper has it as descriptor 3.
    pub(crate) lease: Option<BorrowedFd<'a>>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this status; those of the commands, see tokenvault(1).
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was not done when its time was over, and was killed.
    Late,
    /// It could not be started; the error number.
    NotStarted(i32),
    /// What became of it cannot be known: somebody killed the process that looked after it.
    Lost,
}

impl Ended {
    /// What to log about it, if anything.
    pub(crate) fn remark(self) -> (Level, String) {
        let (level, text) = match self {
            Self::Exited(0) => (Level::Debug, "done".to_owned()),
            Self::Exited(3) => (Level::Debug, "this user has no login class; 'tokenvault unlock' makes one".to_owned()),
            Self::Exited(4) => (
                Level::Notice,
                "the password does not open the login class: it was changed elsewhere; run 'tokenvault unlock'"
                    .to_owned(),
            ),
            Self::Exited(7) => {
                (Level::Notice, "too many wrong passwords; wait, then run 'tokenvault unlock'".to_owned())
            }
            Self::Exited(6) => (Level::Warning, "the vault is not open; see 'tokenvaultctl status'".to_owned()),
            Self::Exited(8) => {
                (Level::Warning, "the vault cannot be reached; see 'systemctl status tokenvaultd'".to_owned())
            }
            Self::Exited(status) => (Level::Warning, format!("the helper ended with status {status}")),
            Self::Killed(signal) => (Level::Warning, format!("the helper was ended by signal {signal}")),
            Self::Late => {
                (Level::Warning, "the vault did not answer in time; see 'systemctl status tokenvaultd'".to_owned())
            }
            Self::NotStarted(number) => {
                let error = std::io::Error::from_raw_os_error(number);
                (Level::Warning, format!("the helper cannot be started: {error}"))
            }
            Self::Lost => (Level::Warning, "what looked after the helper was killed".to_owned()),
        };
        (level, text)
    }
}
