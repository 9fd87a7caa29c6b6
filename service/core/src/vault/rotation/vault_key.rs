//! The vault key (VK), which wraps the keyring.

use std::sync::Arc;

use super::OPERATION;
use crate::Caller;
use crate::crypto::{KEY_BYTES, random};
use crate::error::Error;
use crate::port::SlotRow;
use crate::slot::{SlotError, SlotMaker};
use crate::vault::slots::{store_table_mac, verify_table};
use crate::vault::{Effect, Event, Vault};

impl Vault {
    /// Draws the vault key anew, and wraps it for every slot and the keyring under it, in one transaction. Needs nobody's secret: the
    /// keys of the slots stay as they are. Blocks.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when the slot table was changed behind the vault's back.
    pub fn rotate_vault_key(self: &Arc<Self>, caller: &Caller) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let vk = Arc::new(random::secret(self.memory(), KEY_BYTES)?);
        let event = Event { purpose: "vault key".to_owned(), ..Event::new(caller, OPERATION) };
        let (vault, opened, anew, audited) = (Arc::clone(self), Arc::clone(&open), Arc::clone(&vk), event.clone());
        self.write_and_wait(event, Effect::Erases, move |tx| {
            verify_table(&vault, &opened, tx)?;
            opened.check_keyring(&vault, tx)?;
            let maker = SlotMaker {
                vault_id: &opened.id,
                vk: &anew,
                keyring: &opened.keyring,
                memory: vault.memory(),
                created: vault.now(),
            };
            let before = opened.vk();
            let rewrapped = |row: &SlotRow| maker.rewrap(row, &before);
            let slots: Vec<_> = tx.slots()?.iter().map(rewrapped).collect::<Result<_, SlotError>>()?;
            slots.iter().try_for_each(|row| tx.update_slot(row))?;
            let keys = opened.keyring.to_rows(&anew, &opened.id)?;
            keys.iter().try_for_each(|row| tx.put_keyring(row))?;
            store_table_mac(&vault, &opened, tx)?;
            vault.record_mutation(&opened, tx, &audited, 0)
        })?;
        open.put_vk(vk);
        Ok(())
    }
}
