//! The real host: a PAM handle, the module's arguments, and the time that an entry has.

use std::ffi::{CStr, CString};

use super::lease::Lease;
use super::libpam::{Handle, Item};
use super::secret::Password;
use super::{log, run};
use crate::arguments::Arguments;
use crate::helper::{Ended, Job};
use crate::host::{Host, Kept, Level, show};

/// Under what names libpam keeps things for this module.
const PASSWORD: &CStr = c"tokenvault-password";
const LEASE: &CStr = c"tokenvault-lease";

/// One entry into the module.
pub(crate) struct PamHost<'a> {
    kind: &'static str,
    handle: &'a mut Handle,
    arguments: &'a Arguments,
}

impl<'a> PamHost<'a> {
    /// `kind` is the word of the service file: `auth`, `session` or `password`.
    pub(crate) fn new(kind: &'static str, handle: &'a mut Handle, arguments: &'a Arguments) -> Self {
        Self { kind, handle, arguments }
    }
}

impl Host for PamHost<'_> {
    fn user(&self) -> Option<CString> {
        self.handle.text(Item::User)
    }

    fn asking_user(&self) -> Option<CString> {
        // With a host beside it, it is somebody there.
        self.handle.text(Item::AskingUser).filter(|_| self.handle.text(Item::Host).is_none())
    }

    fn token(&self) -> Option<Password> {
        self.handle.secret(Item::Token)
    }

    fn old_token(&self) -> Option<Password> {
        self.handle.secret(Item::OldToken)
    }

    fn keep_password(&mut self, kept: Option<Kept>) {
        self.handle.keep(PASSWORD, kept);
    }

    fn take_password(&mut self) -> Option<Kept> {
        self.handle.take(PASSWORD).filter(|kept: &Kept| !kept.password.is_wiped())
    }

    fn keep_lease(&mut self, lease: Option<Lease>) {
        self.handle.keep(LEASE, lease);
    }

    fn run_helper(&mut self, job: &Job<'_>) -> Ended {
        run::run(&self.arguments.helper, job, self.arguments.timeout)
    }

    fn log(&self, level: Level, text: &str) {
        if level == Level::Debug && !self.arguments.debug {
            return;
        }
        let service = self.handle.text(Item::Service).unwrap_or_default();
        log::write(&show(&service), self.kind, level, text);
    }
}
