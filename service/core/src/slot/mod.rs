//! Slots: the ways of opening the vault. Each wraps the one vault key (VK) under a key-encryption key (KEK) of its own.
//!
//! A slot's row holds VK under the KEK, and the KEK under the keyring, so that a new VK needs nobody's passphrase. Both
//! wrappers are bound to `"slot"`, vault id, kind and the slot's data; the slot's number is given by the store later and is
//! covered by the MAC over the whole table, see [`table`]. A KEK is derived from the slot's 32-byte secret with the label
//! `slot/KIND` and the vault id; that of a recovery slot is random and encrypted to its public key.

mod body;
mod error;
mod host_key;
mod passphrase;
mod recovery;
pub mod table;
mod tpm2;
pub mod voucher;

pub use error::SlotError;
pub use passphrase::{Argon2Params, Passphrase};
pub use recovery::Recovery;

use body::Body;

use crate::crypto::{Aad, CryptoError, KEY_BYTES, VaultId, kdf, mac, wrap};
use crate::keyring::Keyring;
use crate::port::{SealedBlob, Sealer, SecretMemory, SlotRow};
use crate::{Secret, Timestamp};

const WRAP_VK: &str = "slot-vk";
const WRAP_KEK: &str = "slot-kek";

/// The kinds of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A secret sealed by this machine's TPM.
    Tpm2,
    /// A public key; the private one is on paper.
    Recovery,
    /// A passphrase, stretched by the client.
    Passphrase,
    /// A file beside the store. Protects nothing at rest.
    HostKey,
}

impl SlotKind {
    /// As store and interface write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tpm2 => "tpm2",
            Self::Recovery => "recovery",
            Self::Passphrase => "passphrase",
            Self::HostKey => "host-key",
        }
    }

    /// By that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Tpm2, Self::Recovery, Self::Passphrase, Self::HostKey].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What opens a slot.
#[derive(Clone, Copy)]
pub enum SlotSecret<'a> {
    /// The TPM: for `tpm2`.
    Sealer(&'a dyn Sealer),
    /// 32 bytes: the private recovery key, the key derived from the passphrase, the contents of the host key file.
    Key(&'a Secret),
}

/// An open vault, as far as adding a slot to it goes.
#[derive(Clone, Copy)]
pub struct SlotMaker<'a> {
    /// Identity of the vault.
    pub vault_id: &'a VaultId,
    /// Its vault key.
    pub vk: &'a Secret,
    /// Its keyring.
    pub keyring: &'a Keyring,
    /// Where secrets are kept on the way.
    pub memory: &'a dyn SecretMemory,
    /// When the slot is added.
    pub created: Timestamp,
}

impl SlotMaker<'_> {
    /// A slot opened by this machine's TPM.
    ///
    /// # Errors
    /// [`SlotError::Tpm`], [`SlotError::Crypto`].
    pub fn tpm2(&self, sealer: &dyn Sealer) -> Result<SlotRow, SlotError> {
        let (blob, kek) = tpm2::make(sealer, self.vault_id, self.memory)?;
        self.row(Body::Tpm2(blob), &kek)
    }

    /// A slot opened by the private key of `public`, 32 bytes.
    ///
    /// # Errors
    /// [`SlotError::Crypto`] with [`CryptoError::PublicKey`] for a key that is none.
    pub fn recovery(&self, public: &[u8]) -> Result<SlotRow, SlotError> {
        let (recovery, kek) = recovery::make(public, self.vault_id, self.memory)?;
        self.row(Body::Recovery(recovery), &kek)
    }

    /// A slot opened by a key that a client derived from a passphrase with argon2id, `salt` and `params`.
    ///
    /// # Errors
    /// [`SlotError::Parameters`], [`SlotError::SecretLength`].
    pub fn passphrase(&self, derived: &Secret, salt: &[u8], params: &str) -> Result<SlotRow, SlotError> {
        let passphrase = Passphrase::new(salt, params)?;
        self.row(Body::Passphrase(passphrase), &passphrase::kek(derived, self.vault_id, self.memory)?)
    }

    /// A slot opened by the 32 bytes of a file.
    ///
    /// # Errors
    /// [`SlotError::SecretLength`].
    pub fn host_key(&self, key: &Secret) -> Result<SlotRow, SlotError> {
        self.row(Body::HostKey, &host_key::kek(key, self.vault_id, self.memory)?)
    }

    /// The same slot, which holds `before`, around this maker's VK: what a change of VK does to every slot, without asking for their
    /// secrets.
    ///
    /// # Errors
    /// [`SlotError::Damaged`] when the keyring does not open the slot's KEK, or that does not open the slot.
    pub fn rewrap(&self, row: &SlotRow, before: &Secret) -> Result<SlotRow, SlotError> {
        let aad = binding(self.vault_id, &row.kind, &row.body);
        let kek = open_kek(row, &*self.keyring.slots().newest()?, (self.vault_id, before), self.memory)?;
        let wrapped_vk = wrap::seal(&kek, WRAP_VK, aad.as_bytes(), self.vk.expose())?;
        Ok(SlotRow { wrapped_vk, ..row.clone() })
    }

    /// The row of a slot; its number is zero until the store gives one.
    fn row(&self, body: Body, kek: &Secret) -> Result<SlotRow, SlotError> {
        let kind = body.kind().as_str().to_owned();
        let body = body::encode(self.vault_id, body)?;
        let aad = binding(self.vault_id, &kind, &body);
        let wrapped_vk = wrap::seal(kek, WRAP_VK, aad.as_bytes(), self.vk.expose())?;
        let wrapped_kek = wrap::seal(&self.kek_key()?, WRAP_KEK, aad.as_bytes(), kek.expose())?;
        Ok(SlotRow { id: 0, kind, body, wrapped_vk, wrapped_kek, created: self.created.as_usec() })
    }

    fn kek_key(&self) -> Result<Secret, CryptoError> {
        kek_key(&*self.keyring.slots().newest()?, self.vault_id, self.memory)
    }
}

fn kek_key(integrity: &Secret, vault_id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
    kdf::derive(integrity, "slot-kek", vault_id, memory)
}

/// The same slot with its KEK wrapped under another term of the keyring's `integrity`: neither VK nor the KEK is another one.
///
/// # Errors
/// [`SlotError::Damaged`] when the term before does not open it, or what it opens does not open the slot, which holds VK.
pub fn hand_over(
    row: &SlotRow,
    (before, anew): (&Secret, &Secret),
    (vault_id, vk): (&VaultId, &Secret),
    memory: &dyn SecretMemory,
) -> Result<SlotRow, SlotError> {
    let aad = binding(vault_id, &row.kind, &row.body);
    let kek = open_kek(row, before, (vault_id, vk), memory)?;
    let wrapped_kek = wrap::seal(&kek_key(anew, vault_id, memory)?, WRAP_KEK, aad.as_bytes(), kek.expose())?;
    Ok(SlotRow { wrapped_kek, ..row.clone() })
}

/// The KEK of a slot that holds VK. Nothing is ever sealed with one that another slot has, or nobody's.
fn open_kek(
    row: &SlotRow,
    integrity: &Secret,
    (vault_id, vk): (&VaultId, &Secret),
    memory: &dyn SecretMemory,
) -> Result<Secret, SlotError> {
    let aad = binding(vault_id, &row.kind, &row.body);
    let kek = wrap::open(&kek_key(integrity, vault_id, memory)?, WRAP_KEK, aad.as_bytes(), &row.wrapped_kek, memory)
        .map_err(|error| SlotError::from_wrapper(error, SlotError::Damaged("its key is not of this keyring")))?;
    let foreign = || SlotError::Damaged("the key kept of it is not its own");
    let held = wrap::open(&kek, WRAP_VK, aad.as_bytes(), &row.wrapped_vk, memory)
        .map_err(|error| SlotError::from_wrapper(error, foreign()))?;
    if mac::equal(held.expose(), vk.expose()) { Ok(kek) } else { Err(foreign()) }
}

/// A slot read from the store. Not yet to be trusted: the table's MAC can be checked only once the vault is open.
pub struct Slot<'a> {
    row: &'a SlotRow,
    vault_id: VaultId,
    body: Body,
}

impl<'a> Slot<'a> {
    /// Reads a row of this vault.
    ///
    /// # Errors
    /// [`SlotError::UnknownKind`], [`SlotError::ForeignVault`], [`SlotError::Damaged`].
    pub fn parse(row: &'a SlotRow, vault_id: &VaultId) -> Result<Self, SlotError> {
        let kind = SlotKind::parse(&row.kind).ok_or(SlotError::UnknownKind)?;
        let (owner, body) = body::decode(&row.body)?;
        if owner != *vault_id {
            return Err(SlotError::ForeignVault);
        }
        if body.kind() != kind {
            return Err(SlotError::Damaged("its data is that of another kind"));
        }
        Ok(Self { row, vault_id: owner, body })
    }

    /// The kind.
    pub const fn kind(&self) -> SlotKind {
        self.body.kind()
    }

    /// What the TPM keeps, if this is its slot.
    pub const fn sealed_blob(&self) -> Option<&SealedBlob> {
        match &self.body {
            Body::Tpm2(blob) => Some(blob),
            _ => None,
        }
    }

    /// Salt and parameters, if this is a passphrase.
    pub const fn passphrase(&self) -> Option<&Passphrase> {
        match &self.body {
            Body::Passphrase(passphrase) => Some(passphrase),
            _ => None,
        }
    }

    /// The public key, if this is the recovery slot.
    pub const fn recovery(&self) -> Option<&Recovery> {
        match &self.body {
            Body::Recovery(recovery) => Some(recovery),
            _ => None,
        }
    }

    /// Gives VK.
    ///
    /// # Errors
    /// [`SlotError::WrongSecret`], [`SlotError::Damaged`], [`SlotError::Tpm`], [`SlotError::SecretKind`],
    /// [`SlotError::SecretLength`], [`SlotError::Crypto`].
    pub fn open(&self, secret: SlotSecret<'_>, memory: &dyn SecretMemory) -> Result<Secret, SlotError> {
        let changed = SlotError::Damaged("its wrapped key was changed");
        // Whether a KEK that does not fit means a wrong secret or a changed row: TPM and HPKE have found theirs to be the right one.
        // Who has made a recovery slot HPKE does not tell, see [`voucher`].
        let (kek, misfit) = match (&self.body, secret) {
            (Body::Tpm2(blob), SlotSecret::Sealer(sealer)) => {
                (tpm2::kek(sealer, blob, &self.vault_id, memory)?, changed)
            }
            (Body::Recovery(recovery), SlotSecret::Key(key)) => (recovery.kek(key, &self.vault_id, memory)?, changed),
            (Body::Passphrase(_), SlotSecret::Key(key)) => {
                (passphrase::kek(key, &self.vault_id, memory)?, SlotError::WrongSecret)
            }
            (Body::HostKey, SlotSecret::Key(key)) => {
                (host_key::kek(key, &self.vault_id, memory)?, SlotError::WrongSecret)
            }
            _ => return Err(SlotError::SecretKind(self.kind().as_str())),
        };
        let aad = binding(&self.vault_id, &self.row.kind, &self.row.body);
        let vk = wrap::open(&kek, WRAP_VK, aad.as_bytes(), &self.row.wrapped_vk, memory)
            .map_err(|error| SlotError::from_wrapper(error, misfit))?;
        if vk.len() != KEY_BYTES {
            return Err(SlotError::Damaged("its vault key has a wrong length"));
        }
        Ok(vk)
    }
}

fn binding(vault_id: &VaultId, kind: &str, body: &[u8]) -> Aad {
    Aad::new("slot").bytes(vault_id).str(kind).bytes(body)
}

/// KEK of the kinds whose secret is a 32-byte key.
fn kek_of(key: &Secret, kind: SlotKind, vault_id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, SlotError> {
    if key.len() != KEY_BYTES {
        return Err(SlotError::SecretLength(key.len()));
    }
    Ok(kdf::derive(key, &format!("slot/{}", kind.as_str()), vault_id, memory)?)
}
