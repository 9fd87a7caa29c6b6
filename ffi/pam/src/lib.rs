//! `pam_tokenvault.so`: opens a user's login class with the password of the login, and says how long they are logged in.
//!
//! The module is a guest in login, sshd, su and whatever else asks PAM. It has no say: every entry answers `PAM_IGNORE`,
//! whatever happened, within two seconds. It must not start a thread, write to a stream, change the environment or the
//! disposition of a signal, log by a connection that stays open, or keep a descriptor other than the lease. Keys are
//! derived, and the daemon is asked, by a program of its own, `tokenvault-pam-helper`.
//!
//! What to do stands in [`authentication`], [`session`] and [`password`], one for each kind of entry, over the trait
//! [`host::Host`]; how to do it in [`sys`].
#![deny(unsafe_code)]

mod arguments;
mod authentication;
mod boundary;
mod entry;
#[cfg(test)]
mod fixture;
mod helper;
mod host;
mod password;
mod session;
mod sys;
