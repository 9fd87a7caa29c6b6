//! Kind `host-key`: the KEK is derived from the 32 bytes of a file that lies beside the store. The file is the daemon's
//! business; whoever copies both has everything.

use super::{SlotError, SlotKind, kek_of};
use crate::Secret;
use crate::crypto::VaultId;
use crate::port::SecretMemory;

pub(super) fn kek(key: &Secret, vault_id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, SlotError> {
    kek_of(key, SlotKind::HostKey, vault_id, memory)
}
