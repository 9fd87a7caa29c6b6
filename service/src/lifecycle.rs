//! Making and opening the vault: what the daemon does unasked, and what an administrator asks for.

use tokenvault_core::port::{SealError, Sealer};
use tokenvault_core::slot::SlotKind;
use tokenvault_core::vault::{NewSlot, SealReason, State, daemon};
use tokenvault_core::{Caller, Error, Secret};

use crate::caller::is_chrooted;
use crate::service::Service;

/// How an attempt to open the vault unasked went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing more to do: it is open, or only an administrator can do something.
    Settled,
    /// It may work later by itself.
    Later,
}

impl Service {
    /// Opens the vault with the slots that need nobody, or makes it where there is none and a TPM answers. Blocks.
    pub fn open_unasked(&self) -> Attempt {
        match self.vault.state() {
            State::Uninitialised => self.make_unasked(),
            State::Sealed if self.vault.seal_reason() != Some(SealReason::Administrator) => {
                match self.unseal_unattended(&daemon(), None) {
                    Ok(()) => Attempt::Settled,
                    Err(error) => self.judge_failure(&error),
                }
            }
            _ => Attempt::Settled,
        }
    }

    /// Tries the slots that need nobody, or one of them, because an administrator asked. Where that fails, it is tried again
    /// by itself as after a start. Blocks.
    ///
    /// # Errors
    /// Why none opened.
    pub fn unseal_asked(&self, caller: &Caller, only: Option<u32>) -> Result<(), Error> {
        self.unseal_unattended(caller, only).inspect_err(|_| self.reopen.notify_one())
    }

    fn unseal_unattended(&self, caller: &Caller, only: Option<u32>) -> Result<(), Error> {
        let host_key = self.host_key.load(self.config().allow_host_key);
        match only {
            None => self.vault.unseal_unattended(caller, &self.sealer, &host_key),
            Some(id) => self.vault.unseal_unattended_slot(caller, &self.sealer, &host_key, id),
        }?;
        self.opened.notify_one();
        self.restore_logins();
        Ok(())
    }

    /// Opens the vault with what an administrator handed over. Blocks.
    ///
    /// # Errors
    /// Why it did not open.
    pub fn unseal_with(&self, caller: &Caller, secret: &Secret, only: Option<u32>) -> Result<(), Error> {
        self.vault.unseal_with(caller, secret, only)?;
        self.opened.notify_one();
        self.restore_logins();
        Ok(())
    }

    /// Seals the vault, and every login with it. Blocks.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn seal(&self, caller: &Caller) -> Result<(), Error> {
        let sealed = self.vault.seal(caller);
        // Also where it is sealed and only that could not be written down.
        if self.vault.check_open().is_err() {
            self.forget_logins();
        }
        sealed
    }

    /// Adds a slot; the first one makes the vault. Blocks.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn add_slot(&self, caller: &Caller, new: &NewSlot<'_>) -> Result<u32, Error> {
        match self.vault.state() {
            State::Uninitialised => self.vault.create(caller, new),
            _ => self.vault.add_slot(caller, new),
        }
    }

    /// Removes a slot; with the last slot of kind `host-key` its file goes as well. Blocks.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn remove_slot(&self, caller: &Caller, id: u32, force: bool) -> Result<(), Error> {
        self.vault.remove_slot(caller, id, force)?;
        let host_key = SlotKind::HostKey.as_str();
        if self.vault.slots()?.iter().any(|slot| slot.kind == host_key) {
            return Ok(());
        }
        self.host_key.remove()
    }

    fn make_unasked(&self) -> Attempt {
        if let Some(reason) = image_under_construction() {
            self.vault.still_uninitialised(reason);
            return Attempt::Settled;
        }
        if let Err(error) = self.sealer.status() {
            self.vault.still_uninitialised(&error.to_string());
            return Attempt::Later;
        }
        match self.add_slot(&daemon(), &NewSlot::Tpm2(&self.sealer)) {
            Ok(_) => {
                log::warn!(
                    "a new vault was made and sealed to the TPM; run 'tokenvaultctl init' to add a recovery key"
                );
                Attempt::Settled
            }
            Err(error) => {
                self.vault.still_uninitialised(&error.to_string());
                self.judge_failure(&error)
            }
        }
    }

    fn judge_failure(&self, error: &Error) -> Attempt {
        match error {
            Error::Tpm(SealError::NoTpm(_) | SealError::Timeout | SealError::Failed(_) | SealError::Lockout) => {
                Attempt::Later
            }
            // The store could not be written just then.
            Error::Unavailable(_) | Error::LimitsExceeded { .. } => {
                log::warn!("the vault is not open, and is tried again: {error}");
                Attempt::Later
            }
            // The vault's state tells of these.
            Error::Tpm(_) | Error::Sealed(_) | Error::DamagedSlot(_) | Error::Quarantined(_) => Attempt::Settled,
            _ => {
                log::warn!("the vault is not open: {error}");
                Attempt::Settled
            }
        }
    }
}

/// A vault made inside an image or a chroot would be shared by every machine made from it.
fn image_under_construction() -> Option<&'static str> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| value == "1");
    if set("SYSTEMD_OFFLINE") || set("SYSTEMD_IN_CHROOT") {
        return Some("the system is being installed or repaired; the vault is made when it runs");
    }
    is_chrooted().then_some("tokenvaultd runs in a chroot; the vault is made when it runs outside")
}
