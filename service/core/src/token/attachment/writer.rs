//! Who writes a large value, asked anew at every step: it may take minutes.

use super::body::gone;
use crate::Caller;
use crate::error::Error;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::WriteTx;
use crate::token::share::{Right, of_the_owner};
use crate::token::usage::Change;
use crate::vault::{OpenVault, Vault};

/// Who writes a value, and to whose tokens.
#[derive(Clone)]
pub(super) struct Writer {
    pub caller: Caller,
    /// The principal whose version it becomes.
    pub principal: i64,
    /// Whose tokens the caller has to be allowed to write: where it is a grantee its own, as if it stored something of its own.
    owner: Owner,
    is_grantee: bool,
}

impl Writer {
    pub fn new(caller: &Caller, owner: Owner, right: &Right) -> Self {
        let is_grantee = matches!(right, Right::Grantee(_));
        let owner = if is_grantee { Owner::Own } else { owner };
        Self { caller: caller.clone(), principal: right.owner().id, owner, is_grantee }
    }

    /// Counts bytes that have come, where their writer may still write.
    pub fn count(&self, vault: &Vault, open: &OpenVault, tx: &mut dyn WriteTx, bytes: u64) -> Result<(), Error> {
        tx.principal_by_id(self.principal)?.ok_or_else(gone)?;
        let judged = vault.judged_in(open, tx, &self.caller, self.owner, Action::Write)?;
        if !self.is_grantee && judged.is_none_or(|judged| judged.id != self.principal) {
            return Err(gone());
        }
        let principal = vault.find_principal_by_id(open, tx, self.principal)?;
        if !principal.active {
            return Err(Error::NotFound);
        }
        let counted = Change { added: bytes, ..Change::default() }.count_within_quota(tx, vault, &principal);
        counted.map_err(|error| if self.is_grantee { of_the_owner(error) } else { error })
    }
}
