//! What the store has of its anchor.

use super::super::OpenVault;
use crate::Secret;
use crate::Timestamp;
use crate::crypto::{Aad, mac, wrap};
use crate::error::Error;
use crate::port::{CounterPlace, MetaKey, ReadTx, SecretMemory, StoreError, WriteTx};

const PURPOSE: &str = "anchor";
const VERSION: u8 = 1;

/// NV indices that TCG leaves to the owner (Registry of Reserved TPM 2.0 Handles and Localities).
const INDICES: std::ops::RangeInclusive<u32> = 0x0180_0000..=0x01bf_ffff;
/// How many of them are looked at: others may be taken.
const INDICES_TRIED: u32 = 4;

/// Written down with every raise, before the counter is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// NV index of the counter.
    pub index: u32,
    /// Name of the storage root key of its TPM.
    pub root_key_name: Vec<u8>,
    /// What the counter has, or is about to be raised to; `None` while it is being made.
    pub value: Option<u64>,
    /// The value it began with.
    pub first: u64,
    /// When it was raised last.
    pub raised: Timestamp,
    /// Whether the TPM knows that a recovery key was confirmed.
    pub is_marked: bool,
}

impl Kept {
    fn encode(&self) -> Vec<u8> {
        [
            &[VERSION][..],
            &self.index.to_be_bytes(),
            &self.value.unwrap_or_default().to_be_bytes(),
            &self.first.to_be_bytes(),
            &self.raised.as_usec().to_be_bytes(),
            &[u8::from(self.is_marked)],
            &self.root_key_name,
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let ([version], rest) = bytes.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (raised, rest) = rest.split_first_chunk()?;
        let ([is_marked], root_key_name) = rest.split_first_chunk()?;
        let kept = Self {
            index: u32::from_be_bytes(*index),
            root_key_name: root_key_name.to_vec(),
            value: Some(u64::from_be_bytes(*value)).filter(|value| *value > 0),
            first: u64::from_be_bytes(*first),
            raised: Timestamp::from_usec(u64::from_be_bytes(*raised)),
            is_marked: *is_marked == 1,
        };
        (*version == VERSION && INDICES.contains(&kept.index)).then_some(kept)
    }

    /// `None`: the store has none.
    pub fn read(open: &OpenVault, tx: &dyn ReadTx) -> Result<Option<Self>, Error> {
        let Some(sealed) = tx.meta(MetaKey::Anchor)?.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
        let bytes = wrap::open_record(&open.anchor.record, PURPOSE, aad(open).as_bytes(), &sealed);
        let kept = bytes.ok().and_then(|bytes| Self::decode(&bytes));
        kept.map(Some).ok_or_else(|| Error::Quarantined("the anchor of the store was changed; restore a backup".into()))
    }

    pub fn write(&self, open: &OpenVault, tx: &mut dyn WriteTx) -> Result<(), Error> {
        let sealed = wrap::seal(&open.anchor.record, PURPOSE, aad(open).as_bytes(), &self.encode())
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(tx.set_meta(MetaKey::Anchor, &sealed)?)
    }

    /// The counter it is about.
    pub fn place(&self, open: &OpenVault, memory: &dyn SecretMemory) -> Result<CounterPlace, Error> {
        place(open, self.index, &self.root_key_name, memory)
    }
}

/// Whether the store has an anchor.
pub fn exists(tx: &dyn ReadTx) -> Result<bool, StoreError> {
    Ok(tx.meta(MetaKey::Anchor)?.is_some_and(|sealed| !sealed.is_empty()))
}

/// Takes it out of the store.
pub fn forget(tx: &mut dyn WriteTx) -> Result<(), StoreError> {
    tx.set_meta(MetaKey::Anchor, &[])
}

/// Takes it out of the store where it does not open: which counter it was about is found without it.
pub fn forget_unreadable(open: &OpenVault, tx: &mut dyn WriteTx) -> Result<(), Error> {
    match Kept::read(open, tx) {
        Err(Error::Quarantined(_)) => Ok(forget(tx)?),
        other => other.map(|_| ()),
    }
}

/// A counter of this vault.
pub fn place(
    open: &OpenVault,
    index: u32,
    root_key_name: &[u8],
    memory: &dyn SecretMemory,
) -> Result<CounterPlace, Error> {
    let auth = Secret::copy_from(memory, open.anchor.auth.expose()).map_err(crate::crypto::CryptoError::from)?;
    Ok(CounterPlace { index, root_key_name: root_key_name.to_vec(), auth })
}

/// What the vault has a counter for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To tell an old store from the present one.
    Anchor,
    /// To know, by its being there, that a recovery key was confirmed. It is never raised.
    Confirmed,
}

/// Where a counter of this vault may be, in the order in which it is looked for: always the same, so that it is found by a store
/// that has lost its anchor.
pub fn indices(open: &OpenVault, of: Use) -> impl Iterator<Item = u32> + use<> {
    let label: &[u8] = match of {
        Use::Anchor => b"index",
        Use::Confirmed => b"confirmed",
    };
    let [a, b, c, d, ..] = mac::compute(&open.anchor.record, &[label]);
    let room = INDICES.end() - INDICES.start() + 1;
    let begin = u32::from_be_bytes([a, b, c, d]) % room;
    (0..INDICES_TRIED).map(move |step| INDICES.start() + (begin + step) % room)
}

fn aad(open: &OpenVault) -> Aad {
    Aad::new(PURPOSE).bytes(&open.id)
}
