//! `PurgeUser`: everything of a user is deleted.

use std::sync::Arc;

use super::{Work, find, refuse_root};
use crate::Caller;
use crate::announcement::{Announcement, Happened};
use crate::error::Error;
use crate::vault::{Change, Effect, Vault};

/// Tokens, and what was issued, deleted in one write: others write in between.
const STEP: usize = 100;

impl Vault {
    /// Deletes all tokens of a user, with their versions and shares, all it has issued, its login key and what the vault knows of
    /// it; what others had shared with it ends. It is frozen first, so that nothing of it is used meanwhile, and whom its tokens
    /// are shared with are told of that; where this is interrupted, it stays frozen and is purged again. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know and nothing was shared with, and for root.
    pub fn purge_user(self: &Arc<Self>, caller: &Caller, uid: u32) -> Result<(), Error> {
        refuse_root(uid, "purged")?;
        self.freeze_user(caller, uid)?;
        let work = Work::new(self, caller, "PurgeUser", uid)?;
        if !self.knows(&work.open, uid)? {
            return Ok(());
        }
        loop {
            let (vault, open, audited) = (Arc::clone(self), Arc::clone(&work.open), work.event.clone());
            let is_done = work.write(Effect::Erases, move |tx| {
                let (row, _) = find(&vault, &open, tx, uid)?;
                // Offers stand in the way of their tokens.
                let issued = tx.issued_by(row.id, (i64::MIN, i64::MIN), STEP)?;
                for row in &issued {
                    tx.delete_issued(&row.tag)?;
                }
                if issued.len() == STEP {
                    return Ok(false);
                }
                let tokens = tx.tokens(row.id, &[], 0, STEP)?;
                for (token, _) in &tokens {
                    tx.delete_token(token.id)?;
                }
                if tokens.len() == STEP {
                    return Ok(false);
                }
                tx.delete_principal(row.id)?;
                vault.record_mutation(&open, tx, &audited, 0)?;
                Ok(true)
            })?;
            if is_done {
                work.open.withhold(uid, false);
                work.open.estrange(uid, false);
                drop(Change::begin(&work.open, uid));
                self.announce(vec![Announcement::of_all(uid, Happened::Purged, Vec::new())]);
                return Ok(());
            }
        }
    }
}
