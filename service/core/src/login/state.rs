//! What is told of a login: whether it is open, and how its key is derived.

use super::{PARAMS, check_caller, check_principal};
use crate::Caller;
use crate::crypto::mac;
use crate::error::Error;
use crate::vault::Vault;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// A user's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginState {
    /// Whether there is a login key.
    pub enrolled: bool,
    /// Whether it is open.
    pub unlocked: bool,
    /// Whether a login that went well did not unlock it: the password was changed without its old one.
    pub stale: bool,
    /// Salt the password's key is derived with.
    pub salt: Vec<u8>,
    /// Parameters it is derived with, in PHC form.
    pub params: String,
}

impl Vault {
    /// How a user's login stands; before it is enrolled, with what its key is to be derived.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] for anyone but the user and root; when the vault is not open.
    pub fn login_state(&self, caller: &Caller, subject: &Caller) -> Result<LoginState, Error> {
        check_caller(caller, subject.uid)?;
        let open = self.open()?;
        let found = self.read(|tx| self.find_login(&open, tx, subject))?;
        let (unlocked, record) = match found {
            Some((principal, record)) => (open.unlocked.is_unlocked(&principal), record),
            None => {
                // The same at each question, so that it need not be kept before there is a key: by one of the keyring's keys that
                // stays.
                let uid = subject.uid.to_be_bytes();
                let mut salt = mac::compute(open.salting_key(), &[b"tv1/login-salt\0", &uid]).to_vec();
                salt.truncate(SALT_BYTES);
                let params = PARAMS.to_owned();
                return Ok(LoginState { enrolled: false, unlocked: false, stale: false, salt, params });
            }
        };
        Ok(LoginState { enrolled: true, unlocked, stale: record.stale, salt: record.salt, params: record.params })
    }

    /// Whether the login-class tokens of a caller are open.
    pub fn is_login_unlocked(&self, caller: &Caller) -> bool {
        let Ok(open) = self.open() else { return false };
        let principal = self.read(|tx| self.find_principal(&open, tx, caller.uid));
        let principal = principal.ok().flatten().filter(|principal| check_principal(principal, caller).is_ok());
        principal.is_some_and(|principal| open.unlocked.is_unlocked(&principal))
    }

    /// Uids whose login-class tokens are open.
    pub fn unlocked_uids(&self) -> Vec<u32> {
        self.open().map(|open| open.unlocked.uids()).unwrap_or_default()
    }
}
