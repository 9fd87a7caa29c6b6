//! How much there is, of all users together. Known also while the vault is sealed: none of it is encrypted.

use super::Vault;
use crate::error::Error;
use crate::port::{StoreCounters, Totals};

impl Vault {
    /// What all users have.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn totals(&self) -> Result<Totals, Error> {
        self.read(|tx| Ok(tx.totals()?))
    }

    /// Versions of all tokens. Nobody keeps that number: all of them are looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn count_versions(&self) -> Result<u64, Error> {
        self.read(|tx| Ok(tx.count_versions()?))
    }

    /// What the store has done since it was opened, and its bytes on disk.
    pub fn store_counters(&self) -> (StoreCounters, u64) {
        (self.store.counters(), self.store.status().disk_bytes)
    }
}
