//! `org.tokenvault1.Admin`: slots, sealing, credentials, audit log, configuration.

use std::os::fd::BorrowedFd;

use tokenvault_proto::{
    AddSlotOptions, AuditInfo, AuditOptions, CleanupInfo, CleanupOptions, CredentialTest, ExpiringInfo,
    ExpiringOptions, NoOptions, RemoveSlotOptions, RestoreOptions, RotateOptions, SlotInfo, UnsealOptions,
    VerifyAuditOptions,
};

use crate::client::Client;
use crate::error::Error;
use crate::method;
use crate::text::Text;

impl Client {
    /// The slots of the vault; also while it is sealed.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn slots(&self) -> Result<Vec<SlotInfo>, Error> {
        self.call_rows(&method::SLOTS, &NoOptions::default())
    }

    /// Adds a slot and returns its number. `secret` is the recovery public key or the derived passphrase key, 32 bytes,
    /// and empty for the kinds that need none.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn add_slot(&self, kind: &str, secret: &[u8], options: &AddSlotOptions) -> Result<u32, Error> {
        self.call_with_value(&method::ADD_SLOT, secret, |pipe| (Text(kind), pipe, options))
    }

    /// Removes a slot.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn remove_slot(&self, id: u32, options: &RemoveSlotOptions) -> Result<(), Error> {
        self.call(&method::REMOVE_SLOT, &(id, options))
    }

    /// Closes the vault until it is unsealed.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn seal(&self) -> Result<(), Error> {
        self.call(&method::SEAL, &NoOptions::default())
    }

    /// Opens the vault with `secret`: the recovery private key, or the derived passphrase key; empty: by the TPM.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn unseal(&self, secret: &[u8], options: &UnsealOptions) -> Result<(), Error> {
        self.call_with_value(&method::UNSEAL, secret, |pipe| (pipe, options))
    }

    /// Shows that the recovery private key was written down.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn confirm_recovery(&self, key: &[u8]) -> Result<(), Error> {
        self.call_with_value(&method::CONFIRM_RECOVERY, key, |pipe| (pipe, NoOptions::default()))
    }

    /// What `unit` would be given for the credential `id`.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn test_credential(&self, unit: &str, id: &str) -> Result<CredentialTest, Error> {
        self.call(&method::TEST_CREDENTIAL, &(Text(unit), Text(id), NoOptions::default()))
    }

    /// One page of the audit log, and where the next begins: empty after the last. A page may have no rows and not be the last.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn audit(&self, options: &AuditOptions) -> Result<(Vec<AuditInfo>, String), Error> {
        self.call_page(&method::AUDIT, options)
    }

    /// Begins to verify the audit log, and returns the number of the operation.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn verify_audit(&self, options: &VerifyAuditOptions) -> Result<u64, Error> {
        self.call(&method::VERIFY_AUDIT, options)
    }

    /// Begins a lockdown, in which no value leaves the vault, or ends it.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn lockdown(&self, on: bool) -> Result<(), Error> {
        self.call(&method::LOCKDOWN, &(on, NoOptions::default()))
    }

    /// Opens a vault that is quarantined with the private recovery key and takes its store as it is; how many tokens it has.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn recover(&self, key: &[u8]) -> Result<u64, Error> {
        self.call_with_value(&method::RECOVER_VAULT, key, |pipe| (pipe, NoOptions::default()))
    }

    /// Begins to verify the store, and returns the number of the operation.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn verify(&self) -> Result<u64, Error> {
        self.call(&method::VERIFY, &NoOptions::default())
    }

    /// Begins to draw a key anew: `slot`, `vk` or `user`, and returns the number of the operation.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn rotate(&self, what: &str, options: &RotateOptions) -> Result<u64, Error> {
        self.call(&method::ROTATE, &(Text(what), options))
    }

    /// Begins to make a backup, which is written to `out`, the write end of a pipe, and returns the number of the operation.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn backup(&self, out: BorrowedFd<'_>) -> Result<u64, Error> {
        self.call_with_descriptor(&method::BACKUP, out, |out| (out, NoOptions::default()))
    }

    /// Begins to restore the backup that comes through `from`, the read end of a pipe, with the recovery private key, and returns the
    /// number of the operation.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn restore(&self, from: BorrowedFd<'_>, key: &[u8], options: &RestoreOptions) -> Result<u64, Error> {
        self.call_with_descriptor_and_value(&method::RESTORE, from, key, |from, key| (from, key, options))
    }

    /// Deletes what expired a week ago or more.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn cleanup(&self, options: &CleanupOptions) -> Result<CleanupInfo, Error> {
        self.call(&method::CLEANUP, options)
    }

    /// One page of the tokens of all owners that expire soon, and where the next begins: empty after the last. A page may have no
    /// rows and not be the last.
    ///
    /// # Errors
    /// A row of the contract's table.
    pub fn expiring(&self, options: &ExpiringOptions) -> Result<(Vec<ExpiringInfo>, String), Error> {
        self.call_page(&method::EXPIRING, options)
    }

    /// Reads the configuration again.
    ///
    /// # Errors
    /// A row of the contract's table; `Unavailable` says when the outcome is unknown.
    pub fn reload(&self) -> Result<(), Error> {
        self.call(&method::RELOAD, &NoOptions::default())
    }
}
