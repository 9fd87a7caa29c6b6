//! The keyring: independent random keys, one per purpose, wrapped under the vault key (VK).
//!
//! They are drawn, not derived from VK: name tags, hashes of issued tokens and login wrappers have to outlive a change of
//! VK. VK itself wraps nothing else. Each is bound to `"keyring"`, vault id, purpose, term.

use crate::Error;
use crate::Secret;
use crate::crypto::{Aad, CryptoError, KEY_BYTES, VaultId, random, wrap};
use crate::port::{KeyringRow, SecretMemory};

const WRAP_PURPOSE: &str = "keyring";

/// What a key of the keyring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// MACs over tables and anchors, and the wrapping of slots' keys, each by a label of its own.
    Integrity,
    /// Tags by which rows are found.
    Index,
    /// Hashes of issued tokens.
    Tokens,
    /// The audit chain and its records.
    Audit,
    /// Mixed into login wrappers, so that a copied store allows no guessing of passwords.
    Pepper,
    /// Records and keys of principals.
    Users,
}

impl KeyPurpose {
    /// All of them, in the order they are stored in.
    pub const ALL: [Self; 6] = [Self::Integrity, Self::Index, Self::Tokens, Self::Audit, Self::Pepper, Self::Users];

    /// As the store writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Index => "index",
            Self::Tokens => "tokens",
            Self::Audit => "audit",
            Self::Pepper => "pepper",
            Self::Users => "users",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// Why the rows of a store are no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// A purpose has no key.
    #[error("the keyring has no key '{0}'")]
    Missing(&'static str),
    /// A purpose has two keys.
    #[error("the keyring has two keys '{0}'")]
    Duplicate(&'static str),
    /// A purpose of another release, or a changed row. The text is not repeated.
    #[error("the keyring has a key for a purpose this release does not know")]
    UnknownPurpose,
    /// A key does not open or has no usable length.
    #[error("key '{purpose}' of the keyring does not open: {cause}")]
    Key {
        /// Which one.
        purpose: &'static str,
        /// Why.
        cause: CryptoError,
    },
    /// Random source or memory.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Crypto(cause) | KeyringError::Key { cause: cause @ CryptoError::Memory(_), .. } => {
                cause.into()
            }
            KeyringError::Missing(_)
            | KeyringError::Duplicate(_)
            | KeyringError::UnknownPurpose
            | KeyringError::Key { .. } => Self::Quarantined(format!("{error}; restore a backup")),
        }
    }
}

/// One key and how often it was renewed.
pub struct KeyringKey {
    term: u32,
    secret: Secret,
}

impl KeyringKey {
    /// Term: 1 for the first key of its purpose.
    pub const fn term(&self) -> u32 {
        self.term
    }
}

/// All keys, open.
pub struct Keyring {
    integrity: KeyringKey,
    index: KeyringKey,
    tokens: KeyringKey,
    audit: KeyringKey,
    pepper: KeyringKey,
    users: KeyringKey,
}

impl Keyring {
    /// Draws the keys of a new vault.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn generate(memory: &dyn SecretMemory) -> Result<Self, CryptoError> {
        Self::collect(|_| Ok(KeyringKey { term: 1, secret: random::secret(memory, KEY_BYTES)? }))
    }

    /// Wraps every key under VK, one row each.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`] for a VK that is none, [`CryptoError::Random`].
    pub fn to_rows(&self, vk: &Secret, vault_id: &VaultId) -> Result<Vec<KeyringRow>, CryptoError> {
        let row = |purpose: KeyPurpose| {
            let key = self.key(purpose);
            let aad = binding(vault_id, purpose, key.term);
            let wrapped = wrap::seal(vk, WRAP_PURPOSE, aad.as_bytes(), key.secret.expose())?;
            Ok(KeyringRow { purpose: purpose.as_str().to_owned(), term: key.term, wrapped })
        };
        KeyPurpose::ALL.into_iter().map(row).collect()
    }

    /// Opens what [`Keyring::to_rows`] made, in any order; exactly one row for each purpose.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn open(
        rows: &[KeyringRow],
        vk: &Secret,
        vault_id: &VaultId,
        memory: &dyn SecretMemory,
    ) -> Result<Self, KeyringError> {
        if rows.iter().any(|row| KeyPurpose::parse(&row.purpose).is_none()) {
            return Err(KeyringError::UnknownPurpose);
        }
        Self::collect(|purpose| {
            let row = the_one(rows, purpose)?;
            let aad = binding(vault_id, purpose, row.term);
            let failed = |cause| KeyringError::Key { purpose: purpose.as_str(), cause };
            let secret = wrap::open(vk, WRAP_PURPOSE, aad.as_bytes(), &row.wrapped, memory).map_err(failed)?;
            if secret.len() != KEY_BYTES {
                return Err(failed(CryptoError::KeyLength(secret.len())));
            }
            Ok(KeyringKey { term: row.term, secret })
        })
    }

    /// A key with its term.
    pub const fn key(&self, purpose: KeyPurpose) -> &KeyringKey {
        match purpose {
            KeyPurpose::Integrity => &self.integrity,
            KeyPurpose::Index => &self.index,
            KeyPurpose::Tokens => &self.tokens,
            KeyPurpose::Audit => &self.audit,
            KeyPurpose::Pepper => &self.pepper,
            KeyPurpose::Users => &self.users,
        }
    }

    /// MACs over tables and anchors.
    pub const fn integrity(&self) -> &Secret {
        &self.integrity.secret
    }

    /// Tags by which rows are found.
    pub const fn index(&self) -> &Secret {
        &self.index.secret
    }

    /// Hashes of issued tokens.
    pub const fn tokens(&self) -> &Secret {
        &self.tokens.secret
    }

    /// The audit chain and its records.
    pub const fn audit(&self) -> &Secret {
        &self.audit.secret
    }

    /// Mixed into login wrappers.
    pub const fn pepper(&self) -> &Secret {
        &self.pepper.secret
    }

    /// Records and keys of principals.
    pub const fn users(&self) -> &Secret {
        &self.users.secret
    }

    fn collect<E>(mut key: impl FnMut(KeyPurpose) -> Result<KeyringKey, E>) -> Result<Self, E> {
        Ok(Self {
            integrity: key(KeyPurpose::Integrity)?,
            index: key(KeyPurpose::Index)?,
            tokens: key(KeyPurpose::Tokens)?,
            audit: key(KeyPurpose::Audit)?,
            pepper: key(KeyPurpose::Pepper)?,
            users: key(KeyPurpose::Users)?,
        })
    }
}

fn the_one(rows: &[KeyringRow], purpose: KeyPurpose) -> Result<&KeyringRow, KeyringError> {
    let mut found = rows.iter().filter(|row| row.purpose == purpose.as_str());
    let row = found.next().ok_or(KeyringError::Missing(purpose.as_str()))?;
    if found.next().is_some() {
        return Err(KeyringError::Duplicate(purpose.as_str()));
    }
    Ok(row)
}

fn binding(vault_id: &VaultId, purpose: KeyPurpose, term: u32) -> Aad {
    Aad::new("keyring").bytes(vault_id).str(purpose.as_str()).u64(term.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    const VAULT: VaultId = [3; 16];

    fn vk(byte: u8) -> Secret {
        Secret::copy_from(&HeapMemory, &[byte; 32]).unwrap()
    }

    fn rows() -> Vec<KeyringRow> {
        Keyring::generate(&HeapMemory).unwrap().to_rows(&vk(1), &VAULT).unwrap()
    }

    fn refusal(rows: &[KeyringRow], vk: &Secret, vault: &VaultId) -> KeyringError {
        Keyring::open(rows, vk, vault, &HeapMemory).err().expect("the keyring opened")
    }

    #[test]
    fn the_keys_come_back_under_their_purposes_in_any_order() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        let mut rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
        rows.reverse();
        let opened = Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap();
        for purpose in KeyPurpose::ALL {
            assert!(opened.key(purpose).secret.expose() == keyring.key(purpose).secret.expose());
            assert_eq!(opened.key(purpose).term(), 1);
        }
    }

    #[test]
    fn no_two_keys_are_equal() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        let keys: std::collections::BTreeSet<_> =
            KeyPurpose::ALL.iter().map(|purpose| keyring.key(*purpose).secret.expose().to_vec()).collect();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn a_missing_a_second_and_an_unknown_key_are_refused() {
        let mut missing = rows();
        missing.remove(3);
        assert_eq!(refusal(&missing, &vk(1), &VAULT), KeyringError::Missing("audit"));
        let mut twice = rows();
        twice.push(twice[0].clone());
        assert_eq!(refusal(&twice, &vk(1), &VAULT), KeyringError::Duplicate("integrity"));
        let mut unknown = rows();
        unknown[2].purpose = "coffee".into();
        assert_eq!(refusal(&unknown, &vk(1), &VAULT), KeyringError::UnknownPurpose);
        assert_eq!(refusal(&[], &vk(1), &VAULT), KeyringError::Missing("integrity"));
    }

    #[test]
    fn another_key_vault_purpose_or_term_does_not_open() {
        let rows = rows();
        let wrong = KeyringError::Key { purpose: "integrity", cause: CryptoError::WrongKey };
        assert_eq!(refusal(&rows, &vk(2), &VAULT), wrong);
        assert_eq!(refusal(&rows, &vk(1), &[4; 16]), wrong);
        let mut swapped = rows.clone();
        let wrapped = swapped[0].wrapped.clone();
        swapped[0].wrapped = std::mem::replace(&mut swapped[1].wrapped, wrapped);
        assert_eq!(refusal(&swapped, &vk(1), &VAULT), wrong);
        let mut aged = rows;
        aged[0].term = 2;
        assert_eq!(refusal(&aged, &vk(1), &VAULT), wrong);
    }
}
