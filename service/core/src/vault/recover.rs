//! Taking a store as it is that the vault was taken out of service for: only with the recovery key.

use std::sync::Arc;

use super::anchor::{Trust, forget_unreadable};
use super::row_sum::begin_account_anew;
use super::slots::{store_table_mac, verify_table};
use super::state::Inner;
use super::unseal::Stored;
use super::voucher::RecoveryKey;
use super::{Effect, Event, OpenVault, SealReason, Vault};
use crate::error::Error;
use crate::keyring::Keyring;
use crate::port::{MetaKey, WriteTx};
use crate::slot::{SlotKind, SlotSecret};
use crate::{Caller, Secret};

/// What a store was taken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Tokens it has.
    pub tokens: u64,
    /// Slots that were removed, because somebody else than the vault had changed the slot table.
    pub slots_removed: u64,
}

impl Vault {
    /// Opens a vault that is quarantined, and takes its rows, its slots and its end of the audit log as they are from here on. Where
    /// the slot table was changed by somebody else, only the recovery slot stays. Blocks for as long as the store is large.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] when it is not quarantined; [`Error::AccessDenied`] when `private` opens no recovery slot;
    /// [`Error::Quarantined`] when the store cannot be read at all, or is doubted again at once.
    pub fn recover(self: &Arc<Self>, caller: &Caller, private: &Secret) -> Result<Recovered, Error> {
        let _turn = self.one_at_a_time();
        if !self.with_state(|state| matches!(state, Inner::Quarantined(_))) {
            return Err(Error::InvalidArgs("the vault is not quarantined: there is nothing to recover from".into()));
        }
        let stored = self.stored()?;
        let event = Event::new(caller, "RecoverVault");
        let opened = self.try_recovery_slots(&stored, private).inspect_err(|error| self.note_refusal(&event, error));
        let (slot, vk) = opened?;
        let keyring = Keyring::open(&stored.keyring, &vk, &stored.id, self.memory())?;
        let key = RecoveryKey { private, slot };
        self.check_vouched(&stored, &keyring, key)?;
        let open = Arc::new(OpenVault::new(self, stored.id, vk, keyring, SlotKind::Recovery)?);
        // One that somebody has changed is begun anew.
        let has_time = self.resume_trusted_time(&open).is_ok();
        self.resume_lockdown()?;
        let _anchoring = self.anchor_turn();
        let finding = self.check_anchor(&open, Trust::Recover)?;
        let word = self.vouch(&open, key)?;
        let (vault, opened, audited) = (Arc::clone(self), Arc::clone(&open), event.clone());
        let sum = self.sum_of_all_rows(&open)?;
        let recovered = self.write_and_wait(event, Effect::Reserved, move |tx| {
            // Of what is left of an earlier opening, in the same transaction.
            tx.keep_rows()?;
            begin_account_anew(&opened, tx, sum)?;
            let slots_removed = remove_strange_slots(&vault, &opened, tx, slot)?;
            forget_unreadable(&opened, tx)?;
            // Whoever did this has the key.
            tx.set_meta(MetaKey::RecoveryConfirmed, &word.encode())?;
            if !has_time {
                tx.set_meta(MetaKey::TrustedTime, &[])?;
            }
            store_table_mac(&vault, &opened, tx)?;
            vault.record_mutation(&opened, tx, &audited, 0)?;
            Ok(Recovered { tokens: tx.totals()?.tokens, slots_removed })
        })?;
        // By what was just said of them.
        open.anchor.note_verified_rows();
        self.leave_quarantine();
        self.serve(&open, finding)?;
        // At once: what is sealed or stopped before would be doubted again. Where the TPM does not answer it is tried again.
        match self.tend_anchor(&open) {
            Err(error @ Error::Quarantined(_)) => Err(error),
            Ok(()) | Err(_) => Ok(recovered),
        }
    }

    fn try_recovery_slots(&self, stored: &Stored, private: &Secret) -> Result<(u32, Secret), Error> {
        let mut refused = Error::InvalidArgs("there is no recovery slot: restore a backup".into());
        for row in stored.slots.iter().filter(|row| row.kind == SlotKind::Recovery.as_str()) {
            match self.try_slot(stored, row, SlotSecret::Key(private)) {
                Ok(vk) => return Ok((row.id, vk)),
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// The only way out of a quarantine while the daemon runs.
    fn leave_quarantine(&self) {
        *self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Inner::Sealed(SealReason::NotTried);
    }
}

/// Where the slot table is not the vault's own, removes every slot but the one that has just opened it; how many.
fn remove_strange_slots(vault: &Vault, open: &OpenVault, tx: &mut dyn WriteTx, opened_by: u32) -> Result<u64, Error> {
    if verify_table(vault, open, tx).is_ok() {
        return Ok(0);
    }
    let strange: Vec<u32> = tx.slots()?.iter().map(|slot| slot.id).filter(|id| *id != opened_by).collect();
    for id in &strange {
        tx.delete_slot(*id)?;
    }
    Ok(strange.len() as u64)
}
