//! A call that was let in, and what its caller may do at all.

use tokenvault_core::vault::Vault;
use tokenvault_core::{Caller, Error, policy};

/// A call that came in.
pub struct Call {
    /// Who asks.
    pub caller: Caller,
    /// Whether it is root of a container.
    pub(super) contained: bool,
}

impl Call {
    /// Whether this is somebody who may know what others do: root, but not of a container, or an administrator by role.
    pub fn is_administrator(&self, vault: &Vault) -> bool {
        self.check_root().is_ok()
            || !self.caller.is_root() && vault.standing(&self.caller).is_ok_and(policy::is_administrator)
    }

    /// Refuses everyone but root, and root of a container.
    ///
    /// # Errors
    /// [`Error::AccessDenied`].
    pub fn check_root(&self) -> Result<(), Error> {
        if !self.caller.is_root() {
            return Err(Error::AccessDenied("only root administers the vault; use sudo".into()));
        }
        if self.contained {
            let text = "the vault is not administered from inside a container; run the command on the system itself";
            return Err(Error::AccessDenied(text.into()));
        }
        Ok(())
    }
}
