//! Kind `recovery`: a random KEK, encrypted to an X25519 public key. The vault never stores the private key; it sees it
//! when the owner types it back. Whoever knows the public key can make such a slot, see [`voucher`](super::voucher).

use minicbor::{Decode, Encode};

use super::SlotError;
use crate::Secret;
use crate::crypto::{CryptoError, KEY_BYTES, VaultId, hpke, mac, random};
use crate::port::SecretMemory;

const INFO: &[u8] = b"tv1/slot/recovery";

/// Data of a recovery slot.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct Recovery {
    #[cbor(n(0), with = "minicbor::bytes")]
    public: [u8; hpke::PUBLIC_KEY_BYTES],
    #[cbor(n(1), with = "minicbor::bytes")]
    sealed_kek: Vec<u8>,
}

impl Recovery {
    /// The public key the slot is encrypted to.
    pub const fn public_key(&self) -> &[u8; hpke::PUBLIC_KEY_BYTES] {
        &self.public
    }

    pub(super) fn kek(
        &self,
        private: &Secret,
        vault_id: &VaultId,
        memory: &dyn SecretMemory,
    ) -> Result<Secret, SlotError> {
        let public = hpke::public_key(private).map_err(|_| SlotError::SecretLength(private.len()))?;
        if !mac::equal(&public, &self.public) {
            return Err(SlotError::WrongSecret);
        }
        hpke::open(private, INFO, vault_id, &self.sealed_kek, memory).map_err(|error| match error {
            CryptoError::Memory(_) => error.into(),
            _ => SlotError::Damaged("its encrypted key was changed"),
        })
    }
}

pub(super) fn make(
    public: &[u8],
    vault_id: &VaultId,
    memory: &dyn SecretMemory,
) -> Result<(Recovery, Secret), SlotError> {
    let kek = random::secret(memory, KEY_BYTES)?;
    let sealed_kek = hpke::seal(public, INFO, vault_id, kek.expose())?;
    let public = public.try_into().map_err(|_| CryptoError::PublicKey)?;
    Ok((Recovery { public, sealed_kek }, kek))
}
