//! `SetUser` and `FreezeUser`: what a user may do.

use std::sync::Arc;

use super::{Named, Work, find, refuse_root};
use crate::Caller;
use crate::error::Error;
use crate::policy::Role;
use crate::principal::PrincipalRecord;
use crate::vault::{Effect, Vault};

/// What is to be changed of a user; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it may do anything.
    pub active: Option<bool>,
    /// Most tokens it may have; `Some(None)`: as configured.
    pub quota_tokens: Option<Option<u64>>,
    /// Most bytes it may store; `Some(None)`: as configured.
    pub quota_bytes: Option<Option<u64>>,
}

impl UserChanges {
    fn apply(&self, record: &mut PrincipalRecord) {
        record.role = self.role.unwrap_or(record.role);
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
        work.write(if revokes { Effect::Reserved } else { Effect::Grows }, move |tx| {
            let keys = open.keys(&vault);
            let is_new = tx.principal(&keys.uid_tag(uid))?.is_none();
            if is_new {
                let user = subject.name()?;
                let subject = Caller { uid, user, ..caller.clone() };
                let role = if uid == 0 { Role::Admin } else { vault.settings().default_role };
                tx.insert_principal(&keys.enrol(&subject, role, vault.now())?)?;
            }
            let (row, mut record) = find(&vault, &open, tx, uid)?;
            applied.apply(&mut record);
            if is_new {
                record.last_seen = None;
            }
            tx.update_principal(&keys.with_record(&row, &record)?)?;
            vault.record_mutation(&open, tx, &audited, 0)
        })?;
        if changes.active == Some(false) { work.close_login() } else { Ok(()) }
    }

    /// Freezes the tokens of a user who was deleted, until they are adopted or purged: whoever has the uid next gets none of
    /// them, whatever the name. What others had shared with it ends. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know and nothing was shared with, and for root.
    pub fn freeze_user(self: &Arc<Self>, caller: &Caller, uid: u32) -> Result<(), Error> {
        refuse_root(uid, "frozen")?;
        let work = Work::new(self, caller, "FreezeUser", uid)?;
        let is_known = self.read(|tx| Ok(tx.principal(&work.open.keys(self).uid_tag(uid))?))?.is_some();
        if !is_known && self.end_shares_with(caller, uid)? > 0 {
            return Ok(());
        }
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(&work.open), work.event.clone());
        work.write(Effect::Reserved, move |tx| {
            let (row, mut record) = find(&vault, &open, tx, uid)?;
            record.frozen = record.frozen.or_else(|| Some(vault.now()));
            tx.update_principal(&open.keys(&vault).with_record(&row, &record)?)?;
            vault.record_mutation(&open, tx, &audited, 0)
        })?;
        self.end_shares_with(caller, uid)?;
        work.close_login()
    }
}
