//! `AdoptUser`: the tokens of a user who is gone are given to one who is there.

use std::sync::Arc;

use super::{Named, Work, find, refuse_root};
use crate::Caller;
use crate::announcement::{Announcement, Happened};
use crate::error::Error;
use crate::vault::{Change, Effect, Vault};

impl Vault {
    /// Gives the tokens of uid `from`, with shares and login key, to the user `to`, of the same uid or another one. What is of
    /// class `login` still opens with its old password or recovery code alone. A role goes to nobody of another uid or name.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know, for root, for a user the user database does not have, and for
    /// one who has tokens or a login key already.
    pub fn adopt_user(self: &Arc<Self>, caller: &Caller, from: u32, to: &Named) -> Result<(), Error> {
        refuse_root(from, "adopted")?;
        refuse_root(to.uid, "given the tokens of a user")?;
        let user = to.name()?;
        let to = to.uid;
        let mut work = Work::new(self, caller, "AdoptUser", from)?;
        work.event.grantee = (to != from).then(|| format!("uid:{to}"));
        // What says that somebody was deleted says so of before.
        self.heed_deletions(&work.open);
        work.close_login()?;
        let (vault, open, audited) = (Arc::clone(self), Arc::clone(&work.open), work.event.clone());
        let _change = Change::begin(&work.open, to);
        let principal = work.write(Effect::Grows, move |tx| {
            let keys = open.keys(&vault);
            let (row, mut record) = find(&vault, &open, tx, from)?;
            if let Some(present) = tx.principal(&keys.uid_tag(to))?.filter(|present| present.id != row.id) {
                if present.tokens > 0 || present.issued > 0 || tx.login(present.id)?.is_some() {
                    return Err(Error::InvalidArgs(format!(
                        "uid {to} has tokens, issued tokens or a login key of its own, which would be lost; name a user who has \
                         none, or run 'tokenvaultctl user purge {to}' first"
                    )));
                }
                let present_record = keys.open_record(&present)?;
                tx.delete_principal(present.id)?;
                (record.role, record.role_set) = (present_record.role, present_record.role_set);
                record.active = present_record.active;
            } else if to != from || record.user != *user {
                (record.role, record.role_set) = (vault.settings().default_role, Some(false));
            }
            record.uid = to;
            (*user).clone_into(&mut record.user);
            record.frozen = None;
            tx.update_principal(&keys.with_record(&row, &record)?)?;
            vault.record_mutation(&open, tx, &audited, 0)?;
            Ok(row.id)
        })?;
        for uid in [from, to] {
            work.open.withhold(uid, false);
            work.open.estrange(uid, false);
            drop(Change::begin(&work.open, uid));
        }
        let grantees = work.grantees(principal);
        // One has them no longer, the other has them now; it may be the same one.
        let uids = if from == to { vec![to] } else { vec![from, to] };
        self.announce(
            uids.into_iter().map(|uid| Announcement::of_all(uid, Happened::Adopted, grantees.clone())).collect(),
        );
        Ok(())
    }
}
