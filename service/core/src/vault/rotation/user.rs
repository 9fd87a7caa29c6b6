//! The machine key of one user: a new term begins.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{OPERATION, UserRotation};
use crate::Caller;
use crate::error::Error;
use crate::machine_key::StoredKey;
use crate::token::Renewal;
use crate::user;
use crate::vault::{Change, Effect, Event, OpenVault, Vault};

/// Principals that are read at one time.
const PAGE: usize = 256;

/// Users whose key is being renewed.
#[derive(Default)]
pub(in crate::vault) struct Rotating(Mutex<BTreeSet<u32>>);

/// One of them, until it is dropped.
pub(super) struct Turn {
    open: Arc<OpenVault>,
    uid: u32,
}

impl Turn {
    /// # Errors
    /// [`Error::Unavailable`] while another rotation of the user is under way.
    fn take(open: &Arc<OpenVault>, uid: u32) -> Result<Self, Error> {
        let mut rotating = open.rotating.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rotating.insert(uid) {
            return Ok(Self { open: Arc::clone(open), uid });
        }
        Err(Error::Unavailable(format!(
            "a rotation of the key of uid {uid} is under way; wait until it has ended, and begin again"
        )))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.open.rotating.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uid);
    }
}

impl Vault {
    /// Draws the machine key of a user anew; from here on it seals whatever is written, and what was sealed before still opens. With
    /// `reencrypts`, values get new keys too. Where a rotation of it has ended before all was done, that one goes on. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a uid the vault does not know; [`Error::Unavailable`] while another rotation of it is under way.
    pub fn begin_user_rotation(
        self: &Arc<Self>,
        caller: &Caller,
        uid: u32,
        reencrypts: bool,
    ) -> Result<UserRotation, Error> {
        let open = self.open()?;
        self.check_no_earlier_requests(&open)?;
        let turn = Turn::take(&open, uid)?;
        let purpose = if reencrypts { "user, values too" } else { "user" };
        let event = Event { purpose: purpose.to_owned(), ..Event::new(caller, OPERATION).about(Some(uid), "") };
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(&open), event.clone());
        let change = Change::begin(&open, uid);
        let (row, record) = self.write_and_wait(event.clone(), Effect::Grows, move |tx| {
            let (row, mut record) = user::find(&vault, &opened, tx, uid)?;
            let keys = opened.keys(&vault);
            let stored = keys.open_key(&row)?;
            let goes_on = stored.is_renewing();
            let stored = if goes_on { stored } else { stored.renew(vault.memory())? };
            if !goes_on {
                record.key_term = Some(record.key_term().saturating_add(1));
            }
            record.reencrypts = Some(reencrypts || record.reencrypts.unwrap_or(false));
            let row = keys.with_key(&row, &record, &stored)?;
            if !goes_on {
                opened.machine_keys.expect(row.id, &stored, vault.memory())?;
            }
            tx.update_principal(&row)?;
            vault.record_mutation(&opened, tx, &audited, 0)?;
            Ok((row, record))
        })?;
        // From here on nobody seals with the term before.
        let principal = Arc::new(open.keys(self).open(&row)?);
        drop(change);
        let reencrypts = record.reencrypts.unwrap_or(false);
        let renewal = Renewal { vault: Arc::clone(self), open, principal, reencrypts };
        let (term, rows) = (record.key_term(), row.tokens.saturating_add(row.issued));
        Ok(UserRotation { renewal, event, term, rows, _turn: turn })
    }

    /// Uids whose rotation ended before all was done, and is not under way now: both terms of the key are kept. Reads all principals;
    /// one that does not open is nobody's.
    ///
    /// # Errors
    /// When the vault is not open, or the store cannot be read.
    pub fn unfinished_rotations(&self) -> Result<Vec<u32>, Error> {
        let open = self.open()?;
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let rows = self.read(|tx| Ok(tx.principals(after, PAGE)?))?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = last.id;
            for row in rows.iter().filter(|row| StoredKey::is_renewing_sealed(&row.key)) {
                let Ok(record) = open.keys(self).open_record(row) else { continue };
                if !open.rotating.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&record.uid) {
                    found.push(record.uid);
                }
            }
        }
    }
}
