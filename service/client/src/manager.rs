//! `org.tokenvault1.Manager`: state, identity, health.

use tokenvault_proto::{Health, NoOptions, OperationInfo, Status, Taken, WhoAmI};

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

    /// Counters of the daemon, in the text format of OpenMetrics. Somebody who is no administrator is told of what is their own.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn metrics(&self) -> Result<String, Error> {
        let Taken(text) = self.call(&method::METRICS, &NoOptions::default())?;
        Ok(text)
    }

    /// How an operation stands that this user began.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn operation(&self, id: u64) -> Result<OperationInfo, Error> {
        self.call(&method::OPERATION, &(id, NoOptions::default()))
    }

    /// Cancels an operation that this user began; it ends soon.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn cancel(&self, id: u64) -> Result<(), Error> {
        self.call(&method::CANCEL, &(id, NoOptions::default()))
    }
}
