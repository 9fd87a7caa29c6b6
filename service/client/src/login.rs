//! `org.tokenvault1.Login`: a user's login-class tokens. For the user itself and for root.

use std::os::fd::AsFd;

use tokenvault_proto::{LoginState, NoOptions, Taken};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::Error;
use crate::method;

impl Client {
    /// How a user's login stands, and what its key is derived with.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn login_state(&self, uid: u32) -> Result<LoginState, Error> {
        self.call(&method::LOGIN_STATE, &(uid, NoOptions::default()))
    }

    /// Makes a login key for a user who has none, under the derived `key` of the password; its recovery code.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn enrol_login(&self, uid: u32, key: &[u8]) -> Result<Zeroizing<String>, Error> {
        let Taken(code) = self.call_with_value(&method::ENROL, key, |pipe| (uid, pipe, NoOptions::default()))?;
        Ok(Zeroizing::new(code))
    }

    /// Opens a user's login with the derived `key` of the password.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn unlock_login(&self, uid: u32, key: &[u8]) -> Result<(), Error> {
        self.call_with_value(&method::UNLOCK, key, |pipe| (uid, pipe, NoOptions::default()))
    }

    /// Closes a user's login.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn lock_login(&self, uid: u32) -> Result<(), Error> {
        self.call(&method::LOCK, &(uid, NoOptions::default()))
    }

    /// Has the derived key `new` open a user's login beside `old`, until it has.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn set_login_key(&self, uid: u32, old: &[u8], new: &[u8]) -> Result<(), Error> {
        let body = |old, new| (uid, old, new, NoOptions::default());
        self.call_with_two_values(&method::SET_KEY, [old, new], body)
    }

    /// Has the derived key `new` open a user's login, with the recovery code as it was shown.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn recover_login(&self, uid: u32, code: &[u8], new: &[u8]) -> Result<(), Error> {
        let body = |code, new| (uid, code, new, NoOptions::default());
        self.call_with_two_values(&method::RECOVER, [code, new], body)
    }

    /// Counts a user as logged in while somebody holds the write end of the pipe whose read end `alive` is.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn lease_login(&self, uid: u32, alive: impl AsFd) -> Result<(), Error> {
        self.call_with_descriptor(&method::LEASE, alive.as_fd(), |pipe| (uid, pipe, NoOptions::default()))
    }
}
