//! What the module asks of the program it is a guest of.

use std::ffi::{CStr, CString};

use crate::helper::{Ended, Job};
use crate::sys::{Lease, Password};

/// A password that opened a login, and whose login it was.
pub(crate) struct Kept {
    /// `PAM_USER` at that time.
    pub(crate) user: CString,
    /// `PAM_AUTHTOK` at that time.
    pub(crate) password: Password,
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// An administrator has to do something.
    Warning,
    /// The user has to do something.
    Notice,
    /// Logged only with the argument `debug`.
    Debug,
}

/// The program, its PAM handle and its machine. Whoever has one reads and keeps things; nothing here can fail in a way that
/// the caller could do something about.
pub(crate) trait Host {
    /// Who is being logged in.
    fn user(&self) -> Option<CString>;

    /// Who of this machine wants that, where the program knows (`PAM_RUSER` without `PAM_RHOST`).
    fn asking_user(&self) -> Option<CString>;

    /// The password that was typed, or the new one where it is being changed; never an empty one.
    fn token(&self) -> Option<Password>;

    /// The password that is being changed.
    fn old_token(&self) -> Option<Password>;

    /// Keeps a password until the handle ends, in the place of an earlier one.
    fn keep_password(&mut self, kept: Option<Kept>);

    /// Takes the kept password out; there is none in a copy of the process that kept it.
    fn take_password(&mut self) -> Option<Kept>;

    /// Keeps a lease until the session ends, in the place of an earlier one, which ends.
    fn keep_lease(&mut self, lease: Option<Lease>);

    /// Runs the helper, and returns when it has ended or its time is over.
    fn run_helper(&mut self, job: &Job<'_>) -> Ended;

    /// Writes a line into the log.
    fn log(&self, level: Level, text: &str);
}

/// A user's name for the log.
pub(crate) fn show(user: &CStr) -> String {
    user.to_string_lossy().chars().map(|char| if char.is_control() { '?' } else { char }).collect()
}
