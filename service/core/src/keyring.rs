//! The keyring: independent random keys, one per purpose, wrapped under the vault key (VK).
//!
//! They are drawn, not derived from VK: name tags, hashes of issued tokens and login wrappers have to outlive a change of
//! VK. VK itself wraps nothing else. Each is bound to `"keyring"`, vault id, purpose, term.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::Error;
use crate::Secret;
use crate::crypto::{Aad, CryptoError, KEY_BYTES, KeyTerms, VaultId, random, wrap};
use crate::port::{KeyringRow, SecretMemory};

const WRAP_PURPOSE: &str = "keyring";

/// What a key of the keyring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// By a label of its own for each: MACs over the slot table and the wrapping of slots' keys with the newest term, and what rows,
    /// anchors, vouchers and backups are told by with the first one that is kept.
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

/// Those of which a new term may begin while the one before is in use.
const RENEWED: [KeyPurpose; 5] =
    [KeyPurpose::Integrity, KeyPurpose::Tokens, KeyPurpose::Audit, KeyPurpose::Pepper, KeyPurpose::Users];
/// Most terms of one key. Each is kept because something stored needs it.
const TERMS_MAX: usize = 128;

/// Why the rows of a store are no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// A purpose has no key.
    #[error("the keyring has no key '{0}'")]
    Missing(&'static str),
    /// A purpose has two keys of one term, or two of those that have one term only.
    #[error("the keyring has two keys '{0}'")]
    Duplicate(&'static str),
    /// The newest keys of those that are renewed were not drawn together: one was taken away.
    #[error("the newest key '{0}' of the keyring is not there")]
    NewestMissing(&'static str),
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
            | KeyringError::NewestMissing(_)
            | KeyringError::Duplicate(_)
            | KeyringError::UnknownPurpose
            | KeyringError::Key { .. } => Self::Quarantined(format!("{error}; restore a backup")),
        }
    }
}

/// A key that is not renewed, and its term.
struct FixedKey {
    term: u32,
    secret: Secret,
}

/// A term that is about to begin: its number and its key.
pub struct NewTerm {
    purpose: KeyPurpose,
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
            Ok(NewTerm { purpose, term, secret: random::secret(memory, KEY_BYTES)? })
        };
        RENEWED.into_iter().map(drawn).collect()
    }

    /// From here on these are the newest of their keys.
    pub fn learn(&self, drawn: Vec<NewTerm>) {
        for NewTerm { purpose, term, secret } in drawn {
            if let Some(terms) = self.terms(purpose) {
                terms.learn(term, secret);
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

impl NewTerm {
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
    /// As [`Keyring::to_rows`].
    pub fn to_row(&self, vk: &Secret, vault_id: &VaultId) -> Result<KeyringRow, CryptoError> {
        to_row((self.purpose, self.term), &self.secret, vk, vault_id)
    }
}

fn to_row(
    (purpose, term): (KeyPurpose, u32),
    key: &Secret,
    vk: &Secret,
    vault_id: &VaultId,
) -> Result<KeyringRow, CryptoError> {
    let wrapped = wrap::seal(vk, WRAP_PURPOSE, binding(vault_id, purpose, term).as_bytes(), key.expose())?;
    Ok(KeyringRow { purpose: purpose.as_str().to_owned(), term, wrapped })
}

fn open_row(
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
        let keys =
            |keyring: &Keyring| secrets(keyring).into_iter().map(|key| key.expose().to_vec()).collect::<Vec<_>>();
        assert!(keys(&opened) == keys(&keyring));
        assert!(RENEWED.iter().all(|purpose| opened.terms(*purpose).unwrap().newest_term() == 1));
    }

    #[test]
    fn terms_of_before_come_back_with_the_newest_and_go_one_by_one() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        let before = secrets(&keyring);
        keyring.learn(keyring.draw(&HeapMemory).unwrap());
        let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
        assert_eq!(rows.len(), 1 + 2 * RENEWED.len());
        let opened = Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap();
        for (purpose, first) in RENEWED.into_iter().zip(before.iter().skip(1)) {
            let terms = opened.terms(purpose).unwrap();
            assert!(terms.newest_term() == 2 && terms.newest().unwrap().expose() != first.expose());
            assert!(terms.of_term(1).unwrap().expose() == first.expose());
        }
        assert!(opened.integrity().expose() == keyring.integrity().expose(), "what is bound to the first one stays");
        let left: Vec<_> = rows.into_iter().filter(|row| (row.purpose.as_str(), row.term) != ("users", 1)).collect();
        let opened = Keyring::open(&left, &vk(1), &VAULT, &HeapMemory).unwrap();
        let earlier = [KeyPurpose::Tokens, KeyPurpose::Audit, KeyPurpose::Pepper].map(|purpose| (purpose, 1));
        assert_eq!(opened.earlier_terms(), earlier);
    }

    /// The newest of each, in the order of the purposes.
    fn secrets(keyring: &Keyring) -> Vec<Arc<Secret>> {
        let index = Arc::new(Secret::copy_from(&HeapMemory, keyring.index().expose()).unwrap());
        let renewed = RENEWED.iter().map(|purpose| keyring.terms(*purpose).unwrap().newest().unwrap());
        std::iter::once(index).chain(renewed).collect()
    }

    #[test]
    fn of_rows_it_is_told_whether_they_are_what_is_in_use() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        let before = keyring.to_rows(&vk(1), &VAULT).unwrap();
        let is_stored = |rows: &[KeyringRow], byte| keyring.is_stored(rows, (&vk(byte), &VAULT), &HeapMemory);
        assert_eq!(is_stored(&before, 1), Ok(true));
        assert!(is_stored(&before, 2).is_err());
        keyring.learn(keyring.draw(&HeapMemory).unwrap());
        let both = keyring.to_rows(&vk(1), &VAULT).unwrap();
        assert_eq!((is_stored(&before, 1), is_stored(&both, 1)), (Ok(false), Ok(true)));
        keyring.users().retire(1);
        assert_eq!(is_stored(&both, 1), Ok(false));
    }

    #[test]
    fn of_each_key_so_many_terms_are_kept_and_no_more_begin() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        for _ in 1..TERMS_MAX {
            assert_eq!(keyring.full(), None);
            keyring.learn(keyring.draw(&HeapMemory).unwrap());
        }
        assert_eq!(keyring.full(), Some(KeyPurpose::Integrity));
        for (purpose, term) in keyring.earlier_terms().into_iter().filter(|(_, term)| *term > 1) {
            keyring.terms(purpose).unwrap().retire(term);
        }
        assert_eq!(keyring.full(), None);
        let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
        assert_eq!(Keyring::open(&rows, &vk(1), &VAULT, &HeapMemory).unwrap().audit().all().len(), 2);
    }

    #[test]
    fn no_two_keys_are_equal() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        let keys: BTreeSet<_> = secrets(&keyring).into_iter().map(|key| key.expose().to_vec()).collect();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn a_missing_a_second_and_an_unknown_key_are_refused() {
        let mut missing = rows();
        missing.remove(3);
        assert_eq!(refusal(&missing, &vk(1), &VAULT), KeyringError::Missing("audit"));
        let mut twice = rows();
        twice.push(twice[1].clone());
        assert_eq!(refusal(&twice, &vk(1), &VAULT), KeyringError::Duplicate("integrity"));
        let mut fixed = rows();
        fixed.push(KeyringRow { term: 2, ..fixed[0].clone() });
        assert_eq!(refusal(&fixed, &vk(1), &VAULT), KeyringError::Duplicate("index"));
        let mut same = rows();
        same.push(same[5].clone());
        assert_eq!(refusal(&same, &vk(1), &VAULT), KeyringError::Duplicate("users"));
        let mut unknown = rows();
        unknown[2].purpose = "coffee".into();
        assert_eq!(refusal(&unknown, &vk(1), &VAULT), KeyringError::UnknownPurpose);
        assert_eq!(refusal(&[], &vk(1), &VAULT), KeyringError::Missing("integrity"));
    }

    #[test]
    fn the_newest_of_one_that_is_taken_away_is_noticed() {
        let keyring = Keyring::generate(&HeapMemory).unwrap();
        keyring.learn(keyring.draw(&HeapMemory).unwrap());
        let rows = keyring.to_rows(&vk(1), &VAULT).unwrap();
        for purpose in RENEWED.map(KeyPurpose::as_str) {
            let without = |term: u32| {
                let left = rows.iter().filter(|row| (row.purpose.as_str(), row.term) != (purpose, term));
                left.cloned().collect::<Vec<_>>()
            };
            assert_eq!(refusal(&without(2), &vk(1), &VAULT), KeyringError::NewestMissing(purpose));
            assert!(Keyring::open(&without(1), &vk(1), &VAULT, &HeapMemory).is_ok(), "{purpose}: nothing may need it");
        }
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
        aged[1].term = 2;
        assert_eq!(refusal(&aged, &vk(1), &VAULT), wrong);
    }
}
