//! Kind `tpm2`: a random secret sealed by this machine's TPM; the KEK is derived from it.

use super::{SlotError, SlotKind, kek_of};
use crate::Secret;
use crate::crypto::{KEY_BYTES, VaultId, random};
use crate::port::{SealedBlob, Sealer, SecretMemory};

pub(super) fn make(
    sealer: &dyn Sealer,
    vault_id: &VaultId,
    memory: &dyn SecretMemory,
) -> Result<(SealedBlob, Secret), SlotError> {
    let secret = random::secret(memory, KEY_BYTES)?;
    let blob = sealer.seal(&secret)?;
    Ok((blob, kek_of(&secret, SlotKind::Tpm2, vault_id, memory)?))
}

pub(super) fn kek(
    sealer: &dyn Sealer,
    blob: &SealedBlob,
    vault_id: &VaultId,
    memory: &dyn SecretMemory,
) -> Result<Secret, SlotError> {
    kek_of(&sealer.unseal(blob)?, SlotKind::Tpm2, vault_id, memory)
}
