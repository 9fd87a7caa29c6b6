//! The MAC over the slot table. It is checked before VK is ever wrapped to a slot again: otherwise whoever can write the
//! store adds a slot of his own and waits.

use super::SlotError;
use crate::Secret;
use crate::crypto::{Aad, CryptoError, VaultId, kdf, mac};
use crate::keyring::Keyring;
use crate::port::{SecretMemory, SlotRow, Tag};

/// What the MAC covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// The vault's slots.
    pub slots: Vec<SlotRow>,
    /// Whether there is a sum over the rows. Stores of earlier releases have none.
    pub has_row_sum: bool,
    /// Where the store is anchored in a TPM, the recovery slot whose key was typed back, if one was.
    pub anchored: Option<Option<u32>>,
    /// The recovery slot that a voucher is of, and the voucher. Stores of earlier releases have none.
    pub vouched: Option<(u32, Tag)>,
}

/// The MAC of a vault's slots: their count and every column, ordered by number; that there is a sum over the rows, and an
/// anchor, with which recovery slot is confirmed; and the voucher.
///
/// # Errors
/// [`CryptoError::Memory`].
pub fn compute(
    integrity: &Secret,
    vault_id: &VaultId,
    covered: &Covered,
    memory: &dyn SecretMemory,
) -> Result<Tag, CryptoError> {
    Ok(mac::compute(&key(integrity, vault_id, memory)?, &[encode(vault_id, covered).as_bytes()]))
}

/// Checks the table against the MAC that was stored with it: of this term of the key or a later one, or of one that is about to begin.
///
/// # Errors
/// [`SlotError::TableChanged`], [`SlotError::Crypto`].
pub fn verify(
    (keyring, since): (&Keyring, u32),
    vault_id: &VaultId,
    covered: &Covered,
    stored: &[u8],
    memory: &dyn SecretMemory,
) -> Result<(), SlotError> {
    for integrity in keyring.slots().since(since) {
        let key = key(&integrity, vault_id, memory)?;
        if mac::verify(&key, &[encode(vault_id, covered).as_bytes()], stored) {
            return Ok(());
        }
    }
    Err(SlotError::TableChanged)
}

fn key(integrity: &Secret, vault_id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
    kdf::derive(integrity, "slot-table", vault_id, memory)
}

fn encode(vault_id: &VaultId, covered: &Covered) -> Aad {
    let mut ordered: Vec<&SlotRow> = covered.slots.iter().collect();
    ordered.sort_by_key(|row| row.id);
    let table = Aad::new("slot-table").bytes(vault_id).u64(ordered.len() as u64);
    let table = ordered.into_iter().fold(table, |table, row| {
        table
            .u64(row.id.into())
            .str(&row.kind)
            .bytes(&row.body)
            .bytes(&row.wrapped_vk)
            .bytes(&row.wrapped_kek)
            .u64(row.created)
    });
    let table = if covered.has_row_sum { table.str("row-sum") } else { table };
    let table = match covered.anchored {
        Some(confirmed) => table.str("anchor").u64(confirmed.map_or(0, |slot| u64::from(slot) + 1)),
        None => table,
    };
    match &covered.vouched {
        Some((slot, voucher)) => table.str("voucher").u64((*slot).into()).bytes(voucher),
        None => table,
    }
}
