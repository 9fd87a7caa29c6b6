//! `org.tokenvault1.Manager`: state, identity, health.

use tokenvault_proto::{Health, NoOptions, Status, WhoAmI};

use crate::client::Client;
use crate::error::Error;
use crate::method;

impl Client {
    /// State of the vault, sealed or not.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn status(&self) -> Result<Status, Error> {
        self.call(&method::STATUS, &NoOptions::default())
    }

    /// Who the vault takes this program for.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn who_am_i(&self) -> Result<WhoAmI, Error> {
        self.call(&method::WHO_AM_I, &NoOptions::default())
    }

    /// Health of the daemon's parts.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn health(&self) -> Result<Health, Error> {
        self.call(&method::HEALTH, &NoOptions::default())
    }
}
