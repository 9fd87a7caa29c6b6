//! One term of one key, and its row: wrapped under VK, bound to `"keyring"`, vault id, purpose, term.

use super::{KeyPurpose, KeyringError};
use crate::Secret;
use crate::crypto::{Aad, CryptoError, KEY_BYTES, VaultId, wrap};
use crate::port::{KeyringRow, SecretMemory};

const WRAP_PURPOSE: &str = "keyring";

/// A term that is about to begin: its number and its key.
pub struct NewTerm {
    purpose: KeyPurpose,
    term: u32,
    secret: Secret,
}

impl NewTerm {
    pub(super) const fn new(purpose: KeyPurpose, term: u32, secret: Secret) -> Self {
        Self { purpose, term, secret }
    }

    /// What it is for.
    pub const fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// Its number.
    pub const fn term(&self) -> u32 {
        self.term
    }

    /// Its key.
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    pub(super) fn into_secret(self) -> Secret {
        self.secret
    }

    /// The same, to be kept.
    ///
    /// # Errors
    /// [`CryptoError::Memory`].
    pub fn copied(&self, memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
        Ok(Secret::copy_from(memory, self.secret.expose())?)
    }

    /// Wraps it under VK.
    ///
    /// # Errors
    /// As [`super::Keyring::to_rows`].
    pub fn to_row(&self, vk: &Secret, vault_id: &VaultId) -> Result<KeyringRow, CryptoError> {
        to_row((self.purpose, self.term), &self.secret, vk, vault_id)
    }
}

/// Wraps a term.
///
/// # Errors
/// As [`super::Keyring::to_rows`].
pub(super) fn to_row(
    (purpose, term): (KeyPurpose, u32),
    key: &Secret,
    vk: &Secret,
    vault_id: &VaultId,
) -> Result<KeyringRow, CryptoError> {
    let wrapped = wrap::seal(vk, WRAP_PURPOSE, binding(vault_id, purpose, term).as_bytes(), key.expose())?;
    Ok(KeyringRow { purpose: purpose.as_str().to_owned(), term, wrapped })
}

/// Opens what that made.
///
/// # Errors
/// [`KeyringError::Key`].
pub(super) fn open_row(
    row: &KeyringRow,
    purpose: KeyPurpose,
    vk: &Secret,
    vault_id: &VaultId,
    memory: &dyn SecretMemory,
) -> Result<(u32, Secret), KeyringError> {
    let failed = |cause| KeyringError::Key { purpose: purpose.as_str(), cause };
    let aad = binding(vault_id, purpose, row.term);
    let secret = wrap::open(vk, WRAP_PURPOSE, aad.as_bytes(), &row.wrapped, memory).map_err(failed)?;
    if secret.len() == KEY_BYTES { Ok((row.term, secret)) } else { Err(failed(CryptoError::KeyLength(secret.len()))) }
}

fn binding(vault_id: &VaultId, purpose: KeyPurpose, term: u32) -> Aad {
    Aad::new("keyring").bytes(vault_id).str(purpose.as_str()).u64(term.into())
}
