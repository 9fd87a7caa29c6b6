//! What the vault keeps of a private recovery key it was shown, and what that says of a store.

use std::sync::Arc;

use super::slots::{confirmed, recovery_is_confirmed, store_table_mac, verify_table};
use super::{OpenVault, Vault};
use crate::Secret;
use crate::error::Error;
use crate::keyring::Keyring;
use crate::port::{MetaKey, WriteTx};
use crate::slot::voucher::{Confirmed, Shown, Word};
use crate::vault::VaultId;
use crate::vault::unseal::Stored;

/// A private recovery key, and the number of the slot that it opens.
#[derive(Clone, Copy)]
pub(super) struct RecoveryKey<'a> {
    pub(super) private: &'a Secret,
    pub(super) slot: u32,
}

impl Vault {
    fn shown<'a>(&'a self, key: RecoveryKey<'a>, vault_id: &'a VaultId, keyring: &'a Keyring) -> Shown<'a> {
        Shown { private: key.private, slot: key.slot, vault_id, keyring, memory: self.memory() }
    }

    /// Refuses keys that a recovery key leads to, and was not shown with. Where nobody vouches nothing is known of them.
    ///
    /// # Errors
    /// [`Error::Quarantined`].
    pub(super) fn check_vouched(&self, stored: &Stored, keyring: &Keyring, key: RecoveryKey<'_>) -> Result<(), Error> {
        match self.shown(key, &stored.id, keyring).word(stored.confirmed.as_ref())? {
            Word::Vouched | Word::Nobody => Ok(()),
            Word::Others => Err(Error::Quarantined(
                "the store is not of the vault in which this recovery key was confirmed; restore a backup".into(),
            )),
        }
    }

    /// The word of who shows this key to the open vault.
    pub(super) fn vouch(&self, open: &OpenVault, key: RecoveryKey<'_>) -> Result<Confirmed, Error> {
        Ok(self.shown(key, &open.id, &open.keyring).confirmed()?)
    }
}

/// Keeps that word where nobody vouches for the vault yet; whether that was so. The slot table's MAC is checked and made anew.
pub(super) fn keep_first_word(
    vault: &Vault,
    open: &Arc<OpenVault>,
    tx: &mut dyn WriteTx,
    word: &Confirmed,
) -> Result<bool, Error> {
    verify_table(vault, open, tx)?;
    if recovery_is_confirmed(tx)? && confirmed(tx)?.is_some_and(|kept| kept.voucher.is_some()) {
        return Ok(false);
    }
    tx.set_meta(MetaKey::RecoveryConfirmed, &word.encode())?;
    store_table_mac(vault, open, tx)?;
    Ok(true)
}
