//! What the helper asks of the vault, and the vault that is asked.

use std::os::fd::OwnedFd;

use tokenvault_client::{Client, Error, ErrorCode, LoginState};
use tokenvault_kdf::{KdfError, Key};

/// The login class of one user. Every call fails with a row of the contract's table.
pub trait Vault {
    /// Whether there is a login class, and how its keys are derived.
    fn state(&self) -> Result<LoginState, ErrorCode>;

    /// Counts the user as logged in until nobody has the other end of `alive`.
    fn lease(&self, alive: OwnedFd) -> Result<(), ErrorCode>;

    /// Opens the login class.
    fn unlock(&self, key: &Key) -> Result<(), ErrorCode>;

    /// Gives the login class a new key beside the old one.
    fn set_key(&self, old: &Key, new: &Key) -> Result<(), ErrorCode>;

    /// The key of a password.
    fn derive(&self, password: &[u8], salt: &[u8], params: &str) -> Result<Key, ErrorCode>;
}

/// The running daemon.
pub struct Daemon {
    client: Client,
    uid: u32,
}

impl Daemon {
    /// Connects to it.
    ///
    /// # Errors
    /// `Unavailable` when it does not run.
    pub fn open(uid: u32) -> Result<Self, ErrorCode> {
        let client = Client::open(None).map_err(code)?;
        Ok(Self { client, uid })
    }
}

/// The line for people that comes with it has nobody here to read it.
fn code(error: Error) -> ErrorCode {
    error.code()
}

impl Vault for Daemon {
    fn state(&self) -> Result<LoginState, ErrorCode> {
        self.client.login_state(self.uid).map_err(code)
    }

    fn lease(&self, alive: OwnedFd) -> Result<(), ErrorCode> {
        self.client.lease_login(self.uid, alive).map_err(code)
    }

    fn unlock(&self, key: &Key) -> Result<(), ErrorCode> {
        self.client.unlock_login(self.uid, key.as_slice()).map_err(code)
    }

    fn set_key(&self, old: &Key, new: &Key) -> Result<(), ErrorCode> {
        self.client.set_login_key(self.uid, old.as_slice(), new.as_slice()).map_err(code)
    }

    fn derive(&self, password: &[u8], salt: &[u8], params: &str) -> Result<Key, ErrorCode> {
        tokenvault_kdf::derive(password, salt, params).map_err(|error| match error {
            KdfError::Params | KdfError::Salt => ErrorCode::DamagedSlot,
            KdfError::Memory { .. } => ErrorCode::Unavailable,
        })
    }
}
