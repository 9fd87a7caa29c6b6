//! Making a vault where there is none.

use std::sync::Arc;

use super::row_sum::begin_first_account;
use super::state::Inner;
use super::{Effect, Event, NewSlot, OpenVault, Vault};
use crate::Caller;
use crate::crypto::{KEY_BYTES, random};
use crate::error::Error;
use crate::keyring::Keyring;
use crate::port::{MetaKey, ReadTx, Totals};
use crate::slot::SlotMaker;

impl Vault {
    /// Looks whether there is a vault in the store: sealed if there is, uninitialised for `reason` if not.
    ///
    /// # Errors
    /// When the store cannot be read; the vault is then quarantined or unavailable.
    pub fn look(&self, reason: &str) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let state = match self.read(|tx| is_empty(tx)) {
            Ok(true) => Inner::Uninitialised(reason.to_owned()),
            Ok(false) => Inner::Sealed(super::SealReason::NotTried),
            Err(error) => {
                self.enter(match &error {
                    Error::Quarantined(reason) => Inner::Quarantined(reason.clone()),
                    other => Inner::Unavailable(other.to_string()),
                })?;
                return Err(error);
            }
        };
        self.enter(state)
    }

    /// Says anew why there is no vault yet; nothing happens when there is one.
    pub fn still_uninitialised(&self, reason: &str) {
        let _turn = self.one_at_a_time();
        if self.with_state(|state| matches!(state, Inner::Uninitialised(_))) {
            // A quarantine that came in between is the better answer.
            let _quarantined = self.enter(Inner::Uninitialised(reason.to_owned()));
        }
    }

    /// Makes the vault with its first slot and opens it; the number of the slot. Blocks.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] when there is a vault already, or for a recovery slot: a vault that only the recovery key opens
    /// would not serve after the next start.
    pub fn create(self: &Arc<Self>, caller: &Caller, first: &NewSlot<'_>) -> Result<u32, Error> {
        let _turn = self.one_at_a_time();
        if !self.with_state(|state| matches!(state, Inner::Uninitialised(_))) {
            return Err(Error::InvalidArgs("there is a vault already; add a slot to it instead".into()));
        }
        if matches!(first, NewSlot::Recovery(_)) {
            return Err(Error::InvalidArgs(
                "the first slot must be one that serves after a start: tpm2, host-key or passphrase".into(),
            ));
        }
        let (id, instance) = (random::array::<16>()?, random::array::<16>()?);
        let vk = random::secret(self.memory(), KEY_BYTES)?;
        let keyring = Keyring::generate(self.memory())?;
        let maker = SlotMaker { vault_id: &id, vk: &vk, keyring: &keyring, memory: self.memory(), created: self.now() };
        let slot = first.make(&maker)?;
        let rows = keyring.to_rows(&vk, &id)?;
        let open = Arc::new(OpenVault::new(self, id, vk, keyring, first.kind())?);
        let (vault, opened) = (Arc::clone(self), Arc::clone(&open));
        let event = Event::new(caller, "CreateVault");
        let audited = event.clone();
        let number = self.write_and_wait(event, Effect::Grows, move |tx| {
            if !is_empty(tx)? {
                return Err(Error::InvalidArgs("there is a vault already; add a slot to it instead".into()));
            }
            tx.set_meta(MetaKey::VaultId, &id)?;
            tx.set_meta(MetaKey::InstanceId, &instance)?;
            rows.iter().try_for_each(|row| tx.put_keyring(row))?;
            let number = tx.insert_slot(&slot)?;
            begin_first_account(&vault, &opened, tx)?;
            vault.record_mutation(&opened, tx, &audited, 0)?;
            Ok(number)
        })?;
        self.enter(Inner::Open(open))?;
        Ok(number)
    }
}

/// Whether nothing of a vault stands in the store. Half a vault is not nothing: it is never made anew.
fn is_empty(tx: &dyn ReadTx) -> Result<bool, Error> {
    let keys = tx.meta(MetaKey::VaultId)?.is_some() || !tx.slots()?.is_empty() || !tx.keyring()?.is_empty();
    // Every vault has a record of how it was made, and what users stored in it counts.
    Ok(!keys && tx.audit_head()?.is_none() && tx.totals()? == Totals::default())
}
