//! A host that does as the test says.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::fs::File;

use crate::helper::{Ended, Job};
use crate::host::{Host, Kept, Level};
use crate::sys::{Lease, Password};

/// What a test sets, and what it finds afterwards.
pub(crate) struct Script {
    pub(crate) user: Option<&'static CStr>,
    pub(crate) asking_user: Option<&'static CStr>,
    pub(crate) token: Option<&'static str>,
    pub(crate) old_token: Option<&'static str>,
    /// How every run of the helper ends.
    pub(crate) outcome: Ended,
    /// Whether the helper hands the lease to somebody.
    pub(crate) takes_lease: bool,
    /// Every run: verb, user, secrets, and whether there was a lease.
    pub(crate) runs: Vec<String>,
    /// The daemon's end of the lease.
    pub(crate) daemon: Option<File>,
    pub(crate) kept: Option<Kept>,
    pub(crate) lease: Option<Lease>,
    pub(crate) lines: RefCell<Vec<(Level, String)>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            user: None,
            asking_user: None,
            token: None,
            old_token: None,
            outcome: Ended::Exited(0),
            takes_lease: true,
            runs: Vec::new(),
            daemon: None,
            kept: None,
            lease: None,
            lines: RefCell::default(),
        }
    }
}

impl Host for Script {
    fn user(&self) -> Option<CString> {
        self.user.map(Into::into)
    }

    fn asking_user(&self) -> Option<CString> {
        self.asking_user.map(Into::into)
    }

    fn token(&self) -> Option<Password> {
        self.token.and_then(|text| Password::copy(text.as_bytes()))
    }

    fn old_token(&self) -> Option<Password> {
        self.old_token.and_then(|text| Password::copy(text.as_bytes()))
    }

    fn keep_password(&mut self, kept: Option<Kept>) {
        self.kept = kept;
    }

    fn take_password(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    fn keep_lease(&mut self, lease: Option<Lease>) {
        self.lease = lease;
    }

    fn run_helper(&mut self, job: &Job<'_>) -> Ended {
        let secrets: Vec<_> = job.secrets.iter().map(|secret| String::from_utf8_lossy(secret.expose())).collect();
        let user = job.user.to_string_lossy();
        let lease = if job.lease.is_some() { " lease" } else { "" };
        self.runs.push(format!("{} {user} [{}]{lease}", job.verb.word().to_string_lossy(), secrets.join(" ")));
        let taken = job.lease.filter(|_| self.takes_lease);
        self.daemon = taken.map(|lease| lease.try_clone_to_owned().unwrap().into());
        self.outcome
    }

    fn log(&self, level: Level, text: &str) {
        self.lines.borrow_mut().push((level, text.to_owned()));
    }
}
