//! `SetUser` and `FreezeUser`: what a user may do.

use std::sync::Arc;

use super::{Named, Work, find, refuse_root};
use crate::Caller;
use crate::announcement::Happened;
use crate::error::Error;
use crate::policy::Role;
use crate::principal::PrincipalRecord;
use crate::vault::{Effect, OpenVault, Vault};

/// What is to be changed of a user; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// What it may do; `Some(None)`: as configured.
    pub role: Option<Option<Role>>,
    /// Whether it may do anything.
    pub active: Option<bool>,
    /// Most tokens it may have; `Some(None)`: as configured.
    pub quota_tokens: Option<Option<u64>>,
    /// Most bytes it may store; `Some(None)`: as configured.
    pub quota_bytes: Option<Option<u64>>,
}

impl UserChanges {
    fn apply(&self, record: &mut PrincipalRecord, default_role: Role) {
        if let Some(role) = self.role {
            (record.role, record.role_set) = (role.unwrap_or(default_role), Some(role.is_some()));
        }
        record.active = self.active.unwrap_or(record.active);
        record.quota_tokens = self.quota_tokens.unwrap_or(record.quota_tokens);
        record.quota_bytes = self.quota_bytes.unwrap_or(record.quota_bytes);
    }
}

impl Vault {
    /// Changes what a user may do, from the next call on; takes a user of the user database in whom the vault does not know yet.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid neither the vault nor the user database knows, and for a role or the activity of root.
    pub fn set_user(self: &Arc<Self>, caller: &Caller, subject: &Named, changes: &UserChanges) -> Result<(), Error> {
        let uid = subject.uid;
        if changes.role.is_some() || changes.active.is_some() {
            refuse_root(uid, "given a role or disabled")?;
        }
        let work = Work::new(self, caller, "SetUser", uid)?;
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(&work.open), work.event.clone());
        let (subject, applied, caller) = (subject.clone(), changes.clone(), caller.clone());
        // What takes a right away goes on when the disk is full.
        let revokes = changes.active == Some(false) || changes.role.is_some();
        let effect = if revokes { Effect::Reserved } else { Effect::Grows };
        let (principal, was_active) = work.write(effect, move |tx| {
            let keys = open.keys(&vault);
            let is_new = tx.principal(&keys.uid_tag(uid))?.is_none();
            if is_new {
                let user = subject.name()?;
                let subject = Caller { uid, user, ..caller.clone() };
                let role = if uid == 0 { Role::Admin } else { vault.settings().default_role };
                tx.insert_principal(&keys.enrol(&subject, role, vault.now())?)?;
            }
            let (row, mut record) = find(&vault, &open, tx, uid)?;
            let was_active = record.active;
            applied.apply(&mut record, vault.settings().default_role);
            if is_new {
                record.last_seen = None;
            }
            tx.update_principal(&keys.with_record(&row, &record)?)?;
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok((row.id, was_active))
        })?;
        match changes.active {
            Some(true) if !was_active => work.tell(principal, Happened::Enabled),
            Some(false) if was_active => work.tell(principal, Happened::Disabled),
            _ => {}
        }
        if changes.active == Some(false) { work.close_login() } else { Ok(()) }
    }

    /// Whether a uid has stored something or was taken in.
    pub(super) fn knows(&self, open: &OpenVault, uid: u32) -> Result<bool, Error> {
        Ok(self.read(|tx| Ok(tx.principal(&open.keys(self).uid_tag(uid))?))?.is_some())
    }

    /// Freezes the tokens of a user who was deleted, until they are adopted or purged: whoever has the uid next gets none of
    /// them, whatever the name. What others had shared with it ends. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know and nothing was shared with, and for root.
    pub fn freeze_user(self: &Arc<Self>, caller: &Caller, uid: u32) -> Result<(), Error> {
        refuse_root(uid, "frozen")?;
        let work = Work::new(self, caller, "FreezeUser", uid)?;
        if !self.knows(&work.open, uid)? && self.end_shares_with(caller, &work.open, uid)? > 0 {
            return Ok(());
        }
        work.freeze()?;
        let ended = self.end_shares_with(caller, &work.open, uid);
        work.close_login()?;
        ended.map(|_count| ())
    }
}

impl Work<'_> {
    /// Writes that the tokens are nobody's, and tells those they were shared with.
    pub(super) fn freeze(&self) -> Result<(), Error> {
        let (vault, open, audited) = (Arc::clone(self.vault), Arc::clone(&self.open), self.event.clone());
        let uid = self.uid;
        let (principal, was_frozen) = self.write(Effect::Reserved, move |tx| {
            let (row, mut record) = find(&vault, &open, tx, uid)?;
            let was_frozen = record.frozen.is_some();
            record.frozen = record.frozen.or_else(|| Some(vault.now()));
            tx.update_principal(&open.keys(&vault).with_record(&row, &record)?)?;
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok((row.id, was_frozen))
        })?;
        if !was_frozen {
            self.tell(principal, Happened::Frozen);
        }
        Ok(())
    }
}
