//! The key-encryption key of one slot.

use std::sync::Arc;

use super::OPERATION;
use crate::Caller;
use crate::error::Error;
use crate::port::{SealError, Sealer, SlotRow};
use crate::slot::{Slot, SlotError, SlotKind, SlotMaker, SlotSecret};
use crate::vault::slots::{no_slot, store_table_mac, verify_table};
use crate::vault::{Effect, Event, OpenVault, Vault};

impl Vault {
    /// Draws the key-encryption key of a slot anew: what the TPM has sealed for it before, or what was encrypted to the recovery key,
    /// opens nothing any more that is written from here on. The slot keeps its number, and the recovery key stays the same. Blocks as
    /// long as the TPM does.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a slot that is not there, or whose key comes from somebody's secret; [`Error::Tpm`].
    pub fn rotate_slot(self: &Arc<Self>, caller: &Caller, sealer: &dyn Sealer, id: u32) -> Result<(), Error> {
        let _turn = self.one_at_a_time();
        let open = self.open()?;
        let slots = self.read(|tx| {
            verify_table(self, &open, tx)?;
            Ok(tx.slots()?)
        })?;
        let row = slots.iter().find(|row| row.id == id);
        let anew = self.remake(&open, row.ok_or_else(|| no_slot(id))?, sealer)?;
        let event = Event { purpose: format!("slot {id}"), ..Event::new(caller, OPERATION) };
        let (vault, audited) = (Arc::clone(self), event.clone());
        self.write_and_wait(event, Effect::Erases, move |tx| {
            verify_table(&vault, &open, tx)?;
            tx.update_slot(&anew)?;
            store_table_mac(&vault, &open, tx)?;
            vault.record_mutation(&open, tx, &audited, 0)
        })
    }

    fn remake(&self, open: &OpenVault, row: &SlotRow, sealer: &dyn Sealer) -> Result<SlotRow, Error> {
        let vk = open.vk();
        let maker = SlotMaker {
            vault_id: &open.id,
            vk: &vk,
            keyring: &open.keyring,
            memory: self.memory(),
            created: self.now(),
        };
        let slot = Slot::parse(row, &open.id)?;
        let anew = match slot.kind() {
            SlotKind::Tpm2 => {
                let anew = maker.tpm2(sealer)?;
                let tpm_of =
                    |row: &SlotRow| Some(Slot::parse(row, &open.id).ok()?.sealed_blob()?.root_key_name.clone());
                if tpm_of(&anew) != tpm_of(row) {
                    return Err(Error::Tpm(SealError::WrongTpm));
                }
                // It takes the place of what opens the vault unattended: it has to open it.
                Slot::parse(&anew, &open.id)?.open(SlotSecret::Sealer(sealer), self.memory())?;
                anew
            }
            SlotKind::Recovery => {
                let public = slot.recovery().map(|recovery| *recovery.public_key());
                maker.recovery(&public.ok_or(SlotError::Damaged("it has no public key"))?)?
            }
            SlotKind::Passphrase => {
                return Err(Error::InvalidArgs(format!(
                    "the key of slot {} comes from its passphrase; add another one with 'tokenvaultctl slot add', and remove this one",
                    row.id
                )));
            }
            SlotKind::HostKey => {
                return Err(Error::InvalidArgs(format!(
                    "the key of slot {id} comes from its file; remove it with 'tokenvaultctl slot remove {id}', and add another one",
                    id = row.id
                )));
            }
        };
        // Its number, which says that its recovery key was confirmed, stays.
        Ok(SlotRow { id: row.id, created: row.created, ..anew })
    }
}
