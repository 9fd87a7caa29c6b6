//! What a slot stores in the clear, as CBOR: maps with numbered keys, so that fields of later releases are skipped.

use minicbor::{Decode, Encode};

use super::{Passphrase, Recovery, SlotError, SlotKind};
use crate::crypto::VaultId;
use crate::port::SealedBlob;

/// Data of one kind.
#[derive(Encode, Decode)]
pub(super) enum Body {
    #[n(0)]
    Tpm2(#[n(0)] SealedBlob),
    #[n(1)]
    Recovery(#[n(0)] Recovery),
    #[n(2)]
    Passphrase(#[n(0)] Passphrase),
    #[n(3)]
    HostKey,
}

impl Body {
    pub(super) const fn kind(&self) -> SlotKind {
        match self {
            Self::Tpm2(_) => SlotKind::Tpm2,
            Self::Recovery(_) => SlotKind::Recovery,
            Self::Passphrase(_) => SlotKind::Passphrase,
            Self::HostKey => SlotKind::HostKey,
        }
    }
}

/// The data with the vault it belongs to: a slot of another vault is told apart from a wrong secret.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Envelope {
    #[cbor(n(0), with = "minicbor::bytes")]
    vault_id: VaultId,
    #[cbor(n(1))]
    body: Body,
}

pub(super) fn encode(vault_id: &VaultId, body: Body) -> Result<Vec<u8>, SlotError> {
    minicbor::to_vec(Envelope { vault_id: *vault_id, body })
        .map_err(|_| SlotError::Damaged("its data cannot be encoded"))
}

pub(super) fn decode(bytes: &[u8]) -> Result<(VaultId, Body), SlotError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let envelope: Envelope = decoder.decode().map_err(|_| SlotError::Damaged("its data cannot be read"))?;
    if decoder.position() != bytes.len() {
        return Err(SlotError::Damaged("its data is followed by more"));
    }
    if let Body::Passphrase(passphrase) = &envelope.body {
        passphrase.check().map_err(|_| SlotError::Damaged("its passphrase parameters are not allowed"))?;
    }
    Ok((envelope.vault_id, envelope.body))
}
