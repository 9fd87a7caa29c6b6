//! What a backup tells without a key.

use std::io::{ErrorKind, Read, Write};

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use super::error::BackupError;
use super::{FORMAT, HEADER_MAX, MAGIC};
use crate::crypto::{Aad, CryptoError, KEY_BYTES, VaultId, hpke, mac, random};
use crate::port::SecretMemory;
use crate::{Secret, Timestamp};

const INFO: &[u8] = b"tv1/backup";
const PREFIX: usize = MAGIC.len() + 1 + 4;

/// Somebody whose private key opens the backup.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recipient {
    /// X25519 public key of a recovery slot.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub public: [u8; hpke::PUBLIC_KEY_BYTES],
    #[cbor(n(1), with = "minicbor::bytes")]
    sealed_key: Vec<u8>,
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// Of which vault.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub vault_id: VaultId,
    /// Of which copy of it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub instance_id: [u8; 16],
    /// Schema of the rows.
    #[n(2)]
    pub schema: u32,
    /// When it was begun, microseconds since the epoch.
    #[n(3)]
    pub made: u64,
    /// Who can open it.
    #[n(4)]
    pub recipients: Vec<Recipient>,
}

/// The hash of everything before the first chunk.
pub(super) type HeaderHash = [u8; 32];

impl Header {
    /// A header with a fresh key, encrypted to each of `recipients`.
    pub(super) fn make(
        mut header: Self,
        recipients: &[[u8; hpke::PUBLIC_KEY_BYTES]],
        memory: &dyn SecretMemory,
    ) -> Result<(Self, Secret), CryptoError> {
        let key = random::secret(memory, KEY_BYTES)?;
        let aad = header.binding();
        let recipient = |public: &[u8; hpke::PUBLIC_KEY_BYTES]| {
            let sealed_key = hpke::seal(public, INFO, aad.as_bytes(), key.expose())?;
            Ok(Recipient { public: *public, sealed_key })
        };
        header.recipients = recipients.iter().map(recipient).collect::<Result<_, CryptoError>>()?;
        Ok((header, key))
    }

    /// A header without a key yet.
    pub fn new(vault_id: VaultId, instance_id: [u8; 16], schema: u32, made: Timestamp) -> Self {
        Self { vault_id, instance_id, schema, made: made.as_usec(), recipients: Vec::new() }
    }

    fn binding(&self) -> Aad {
        Aad::new("backup").bytes(&self.vault_id).bytes(&self.instance_id).u64(self.schema.into()).u64(self.made)
    }

    /// The key of the chunks.
    pub(super) fn open(&self, private: &Secret, memory: &dyn SecretMemory) -> Result<Secret, BackupError> {
        let public = hpke::public_key(private)?;
        let recipient = self.recipients.iter().find(|recipient| mac::equal(&recipient.public, &public));
        let sealed = &recipient.ok_or(BackupError::OtherKey)?.sealed_key;
        let key =
            hpke::open(private, INFO, self.binding().as_bytes(), sealed, memory).map_err(|error| match error {
                CryptoError::Memory(_) => BackupError::Crypto(error),
                _ => BackupError::HeaderKey,
            })?;
        if key.len() == KEY_BYTES { Ok(key) } else { Err(BackupError::HeaderKey) }
    }

    /// Writes everything before the first chunk; its hash, and its length.
    pub(super) fn write(&self, out: &mut dyn Write) -> Result<(HeaderHash, u64), BackupError> {
        let header = minicbor::to_vec(self).map_err(|_| BackupError::Header("it cannot be encoded"))?;
        let len = u32::try_from(header.len()).ok().filter(|_| header.len() <= HEADER_MAX);
        let len = len.ok_or(BackupError::TooManyKeys)?;
        let bytes = [&MAGIC[..], &[FORMAT], &len.to_be_bytes(), &header].concat();
        out.write_all(&bytes).map_err(|cause| BackupError::Io { what: "written", cause })?;
        Ok((Sha256::digest(&bytes).into(), bytes.len() as u64))
    }

    /// Reads everything before the first chunk; its hash, and its length.
    pub(super) fn read(from: &mut dyn Read) -> Result<(Self, HeaderHash, u64), BackupError> {
        let mut prefix = [0; PREFIX];
        let found = fill(from, &mut prefix)?;
        let begins = prefix.iter().zip(MAGIC).take(found).all(|(found, ours)| found == ours);
        if found == 0 || !begins {
            return Err(BackupError::NotABackup);
        }
        let cut_off = |offset| BackupError::CutOff { chunk: 0, offset };
        let (format, len) = match prefix.split_last_chunk::<4>() {
            Some((start, len)) if found == PREFIX => (start.last().copied().unwrap_or_default(), *len),
            _ => return Err(cut_off(found as u64)),
        };
        if format != FORMAT {
            return Err(if format > FORMAT { BackupError::NewerFormat(format) } else { BackupError::NotABackup });
        }
        let len = u32::from_be_bytes(len) as usize;
        if len > HEADER_MAX {
            return Err(BackupError::Header("its length makes no sense"));
        }
        let mut bytes = vec![0; len];
        let found = fill(from, &mut bytes)?;
        if found < len {
            return Err(cut_off((PREFIX + found) as u64));
        }
        let mut decoder = minicbor::Decoder::new(&bytes);
        let header: Self = decoder.decode().map_err(|_| BackupError::Header("it cannot be read"))?;
        if decoder.position() != bytes.len() {
            return Err(BackupError::Header("it is followed by more"));
        }
        let hash = Sha256::new().chain_update(prefix).chain_update(&bytes).finalize();
        Ok((header, hash.into(), (PREFIX + len) as u64))
    }
}

/// Reads as much as there is; how much.
pub(super) fn fill(from: &mut dyn Read, room: &mut [u8]) -> Result<usize, BackupError> {
    let mut len = 0;
    while let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err(BackupError::Io { what: "read", cause }),
        }
    }
    Ok(len)
}
