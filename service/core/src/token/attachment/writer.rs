//! Who writes a large value, asked anew at every step: it may take minutes.

use super::body::gone;
use crate::Caller;
use crate::error::Error;
use crate::issued::{GroupNow, apart_from_tokens};
use crate::name::TokenName;
use crate::owner::Owner;
use crate::policy::Action;
use crate::port::{ReadTx, WriteTx};
use crate::token::put::Wanted;
use crate::token::share::{Asked, Foreign, Permission, Right, of_the_owner};
use crate::token::usage::Change;
use crate::vault::{Event, OpenVault, Vault};

/// Who writes a value, and to whose tokens.
#[derive(Clone)]
pub(super) struct Writer {
    pub caller: Caller,
    /// What the audit log is told of it.
    pub event: Event,
    /// The principal whose version it becomes.
    pub principal: i64,
    owner: Owner,
    /// The token that is shared with it, where it is a grantee, and its groups as they are now.
    shared: Option<(TokenName, Vec<GroupNow>)>,
}

impl Writer {
    pub fn new(wanted: &Wanted<'_>, right: &Right) -> Self {
        let shared = match right {
            Right::Owner(_) => None,
            Right::Grantee(_) => Some((wanted.name.clone(), wanted.options.groups.clone())),
        };
        let (caller, owner) = (wanted.event.caller.clone(), wanted.options.owner);
        Self { caller, event: apart_from_tokens(wanted.event), principal: right.owner().id, owner, shared }
    }

    /// Counts bytes that have come, where their writer may still write.
    pub fn count(&self, vault: &Vault, open: &OpenVault, tx: &mut dyn WriteTx, bytes: u64) -> Result<(), Error> {
        tx.principal_by_id(self.principal)?.ok_or_else(gone)?;
        if self.owner_now(vault, open, tx)? != Some(self.principal) {
            return Err(gone());
        }
        let principal = vault.find_principal_by_id(open, tx, self.principal)?;
        if !principal.active {
            return Err(Error::NotFound);
        }
        let counted = Change { added: bytes, ..Change::default() }.count_within_quota(tx, vault, &principal);
        counted.map_err(|error| if self.shared.is_some() { of_the_owner(error) } else { error })
    }

    /// Whose tokens it may write now; of a grantee the owner of what is still shared with it for writing.
    fn owner_now(&self, vault: &Vault, open: &OpenVault, tx: &dyn ReadTx) -> Result<Option<i64>, Error> {
        let Some((name, groups)) = &self.shared else {
            let judged = vault.judged_in(open, tx, &self.caller, self.owner, Action::Write)?;
            return Ok(judged.map(|judged| judged.id));
        };
        // As if it stored something of its own.
        vault.judged_in(open, tx, &self.caller, Owner::Own, Action::Write)?;
        let asked = Foreign { caller: &self.caller, groups, owner: self.owner, name };
        Ok(match asked.reach_again(vault, open, tx)? {
            Asked::Answer(reach) => reach.share_for(Permission::Write).map(|_| reach.principal.id),
            Asked::Groups(_) => None,
        })
    }
}
