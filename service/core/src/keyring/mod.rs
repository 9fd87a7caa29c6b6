//! The keyring: independent random keys, one per purpose, wrapped under the vault key (VK).
//!
//! They are drawn, not derived from VK: name tags, hashes of issued tokens and login wrappers have to outlive a change of
//! VK. VK itself wraps nothing else.

mod error;
mod purpose;
mod row;
#[cfg(test)]
mod tests;

pub use error::KeyringError;
pub use purpose::KeyPurpose;
pub use row::NewTerm;

use std::collections::BTreeSet;
use std::sync::Arc;

use row::{open_row, to_row};

use crate::Secret;
use crate::crypto::{CryptoError, KEY_BYTES, KeyTerms, VaultId, random};
use crate::port::{KeyringRow, SecretMemory};

/// Those of which a new term may begin while the one before is in use.
const RENEWED: [KeyPurpose; 5] =
    [KeyPurpose::Integrity, KeyPurpose::Tokens, KeyPurpose::Audit, KeyPurpose::Pepper, KeyPurpose::Users];
/// Most terms of one key. Each is kept because something stored needs it.
const TERMS_MAX: usize = 128;

/// A key that is not renewed, and its term.
struct FixedKey {
    term: u32,
    secret: Secret,
}

/// All keys, open.
pub struct Keyring {
    integrity: KeyTerms,
    /// The first term of that.
    first_integrity: Arc<Secret>,
    index: FixedKey,
    tokens: KeyTerms,
    audit: KeyTerms,
    pepper: KeyTerms,
    users: KeyTerms,
}

impl Keyring {
    /// Draws the keys of a new vault.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn generate(memory: &dyn SecretMemory) -> Result<Self, KeyringError> {
        Self::collect(|_| Ok(vec![(1, random::secret(memory, KEY_BYTES)?)]))
    }

    /// Wraps every term of every key under VK, one row each.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`] for a VK that is none, [`CryptoError::Random`].
    pub fn to_rows(&self, vk: &Secret, vault_id: &VaultId) -> Result<Vec<KeyringRow>, CryptoError> {
        let row = |(purpose, term, key): (KeyPurpose, u32, &Secret)| to_row((purpose, term), key, vk, vault_id);
        let fixed = std::iter::once(row((KeyPurpose::Index, self.index.term, &self.index.secret)));
        let renewed = RENEWED.into_iter().flat_map(|purpose| {
            let terms = self.terms(purpose).map_or_else(Vec::new, KeyTerms::all);
            terms.into_iter().map(move |(term, key)| row((purpose, term, &*key)))
        });
        fixed.chain(renewed).collect()
    }

    /// Opens what [`Keyring::to_rows`] made, in any order: a row for each purpose, and more only for those that are renewed.
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
            let of_purpose: Vec<_> = rows.iter().filter(|row| row.purpose == purpose.as_str()).collect();
            let numbers: BTreeSet<u32> = of_purpose.iter().map(|row| row.term).collect();
            if numbers.len() < of_purpose.len() || (numbers.len() > 1 && !RENEWED.contains(&purpose)) {
                return Err(KeyringError::Duplicate(purpose.as_str()));
            }
            of_purpose.into_iter().map(|row| open_row(row, purpose, vk, vault_id, memory)).collect()
        })
    }

    /// A key of which as many terms are kept as may be: of that none can begin.
    pub fn full(&self) -> Option<KeyPurpose> {
        let is_full = |purpose: &KeyPurpose| self.terms(*purpose).is_some_and(|terms| terms.all().len() >= TERMS_MAX);
        RENEWED.into_iter().find(is_full)
    }

    /// Whether these rows are the terms that are in use, wrapped under `vk`.
    ///
    /// # Errors
    /// See [`KeyringError`].
    pub fn is_stored(
        &self,
        rows: &[KeyringRow],
        (vk, vault_id): (&Secret, &VaultId),
        memory: &dyn SecretMemory,
    ) -> Result<bool, KeyringError> {
        let stored = Self::open(rows, vk, vault_id, memory)?;
        let numbers = |keyring: &Self, purpose| {
            let terms = keyring.terms(purpose).map_or_else(Vec::new, KeyTerms::all);
            terms.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
        };
        Ok(RENEWED.into_iter().all(|purpose| numbers(self, purpose) == numbers(&stored, purpose)))
    }

    /// Draws a new term of each key that is renewed.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn draw(&self, memory: &dyn SecretMemory) -> Result<Vec<NewTerm>, CryptoError> {
        let drawn = |purpose: KeyPurpose| {
            let term = self.terms(purpose).map_or(0, KeyTerms::newest_term).saturating_add(1);
            Ok(NewTerm::new(purpose, term, random::secret(memory, KEY_BYTES)?))
        };
        RENEWED.into_iter().map(drawn).collect()
    }

    /// From here on these are the newest of their keys.
    pub fn learn(&self, drawn: Vec<NewTerm>) {
        for new in drawn {
            if let Some(terms) = self.terms(new.purpose()) {
                terms.learn(new.term(), new.into_secret());
            }
        }
    }

    /// Terms of before that may go some day, by what they are for.
    pub fn earlier_terms(&self) -> Vec<(KeyPurpose, u32)> {
        let earlier = |purpose: KeyPurpose| {
            let mut all = self.terms(purpose).map_or_else(Vec::new, KeyTerms::all);
            if purpose == KeyPurpose::Integrity && all.len() > 1 {
                all.pop();
            }
            all.into_iter().skip(1).map(move |(term, _)| (purpose, term))
        };
        RENEWED.into_iter().flat_map(earlier).collect()
    }

    /// The terms of a key that is renewed.
    pub const fn terms(&self, purpose: KeyPurpose) -> Option<&KeyTerms> {
        match purpose {
            KeyPurpose::Index => None,
            KeyPurpose::Integrity => Some(&self.integrity),
            KeyPurpose::Tokens => Some(&self.tokens),
            KeyPurpose::Audit => Some(&self.audit),
            KeyPurpose::Pepper => Some(&self.pepper),
            KeyPurpose::Users => Some(&self.users),
        }
    }

    /// What rows, anchors, vouchers and backups are told by: the first term, to which they are bound.
    pub fn integrity(&self) -> &Secret {
        &self.first_integrity
    }

    /// MACs over the slot table, and the wrapping of slots' keys: the newest term.
    pub const fn slots(&self) -> &KeyTerms {
        &self.integrity
    }

    /// Tags by which rows are found.
    pub const fn index(&self) -> &Secret {
        &self.index.secret
    }

    /// Hashes of issued tokens.
    pub const fn tokens(&self) -> &KeyTerms {
        &self.tokens
    }

    /// The audit chain and its records.
    pub const fn audit(&self) -> &KeyTerms {
        &self.audit
    }

    /// Mixed into login wrappers.
    pub const fn pepper(&self) -> &KeyTerms {
        &self.pepper
    }

    /// Records and keys of principals.
    pub const fn users(&self) -> &KeyTerms {
        &self.users
    }

    fn collect(
        mut keys: impl FnMut(KeyPurpose) -> Result<Vec<(u32, Secret)>, KeyringError>,
    ) -> Result<Self, KeyringError> {
        let mut all = |purpose: KeyPurpose| {
            let terms = KeyTerms::default();
            keys(purpose)?.into_iter().for_each(|(term, secret)| terms.learn(term, secret));
            if terms.newest_term() == 0 { Err(KeyringError::Missing(purpose.as_str())) } else { Ok(terms) }
        };
        let integrity = all(KeyPurpose::Integrity)?;
        let (_, first_integrity) = integrity.all().pop().ok_or(KeyringError::Missing("integrity"))?;
        let (tokens, audit) = (all(KeyPurpose::Tokens)?, all(KeyPurpose::Audit)?);
        let (pepper, users) = (all(KeyPurpose::Pepper)?, all(KeyPurpose::Users)?);
        let (term, secret) = keys(KeyPurpose::Index)?.pop().ok_or(KeyringError::Missing("index"))?;
        let keyring =
            Self { integrity, first_integrity, index: FixedKey { term, secret }, tokens, audit, pepper, users };
        keyring.check_newest().map(|()| keyring)
    }

    /// All that are renewed are renewed together: who takes the newest of one away does not have what is sealed from then on sealed
    /// with one of before.
    fn check_newest(&self) -> Result<(), KeyringError> {
        let newest = |purpose: &KeyPurpose| self.terms(*purpose).map_or(0, KeyTerms::newest_term);
        let last = RENEWED.iter().map(newest).max().unwrap_or(0);
        match RENEWED.iter().find(|purpose| newest(purpose) < last) {
            Some(purpose) => Err(KeyringError::NewestMissing(purpose.as_str())),
            None => Ok(()),
        }
    }
}
