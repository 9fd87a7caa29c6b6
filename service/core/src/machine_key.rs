//! The machine key (UKm) of principals, by its terms: what is stored of one, and those in use.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::Secret;
use crate::crypto::{CryptoError, KEY_BYTES, KeyTerms, random, wrap};
use crate::port::SecretMemory;

/// Principals whose keys are kept in mind before it is looked which of them nobody uses any more.
const KEPT: usize = 8_192;

/// Renewed keys that are kept in use: who has read a principal just before, and looks for its key only now, finds the new term here.
const RENEWED: usize = 256;

/// What a principal's row has of its machine key: the key of the newest term and, while a rotation is under way, that of the term
/// before behind it.
pub struct StoredKey(Secret);

impl StoredKey {
    /// Draws the first one.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn generate(memory: &dyn SecretMemory) -> Result<Self, CryptoError> {
        random::secret(memory, KEY_BYTES).map(Self)
    }

    /// Takes what was stored.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`].
    pub fn parse(bytes: Secret) -> Result<Self, CryptoError> {
        if matches!(bytes.len(), KEY_BYTES | RENEWING_BYTES) {
            return Ok(Self(bytes));
        }
        Err(CryptoError::KeyLength(bytes.len()))
    }

    /// What is to be stored.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// Whether a row's sealed key has the term before as well, without opening it.
    pub const fn is_renewing_sealed(sealed: &[u8]) -> bool {
        sealed.len() > wrap::OVERHEAD + KEY_BYTES
    }

    fn newest(&self) -> &[u8] {
        let bytes = self.0.expose();
        bytes.split_at_checked(KEY_BYTES).map_or(bytes, |(newest, _)| newest)
    }

    fn before(&self) -> &[u8] {
        self.0.expose().split_at_checked(KEY_BYTES).map_or(&[], |(_, before)| before)
    }

    /// Whether it has the term before as well.
    pub fn is_renewing(&self) -> bool {
        !self.before().is_empty()
    }

    /// With a new term, and the newest one so far behind it.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn renew(&self, memory: &dyn SecretMemory) -> Result<Self, CryptoError> {
        let mut both = Secret::zeroed(memory, RENEWING_BYTES)?;
        let (newest, before) = both.expose_mut().split_at_mut(KEY_BYTES);
        random::fill(newest)?;
        before.copy_from_slice(self.newest());
        Ok(Self(both))
    }

    /// Without the term before.
    ///
    /// # Errors
    /// [`CryptoError::Memory`].
    pub fn settle(&self, memory: &dyn SecretMemory) -> Result<Self, CryptoError> {
        Ok(Self(Secret::copy_from(memory, self.newest())?))
    }

    /// Its terms, for who uses it alone; `newest` is the number of the newest.
    ///
    /// # Errors
    /// [`CryptoError::Memory`].
    pub fn terms(&self, newest: u32, memory: &dyn SecretMemory) -> Result<Arc<KeyTerms>, CryptoError> {
        let keys = Arc::default();
        self.teach(&keys, newest, memory)?;
        Ok(keys)
    }

    /// Tells `keys` of its terms, of which `newest` is the number of the newest.
    fn teach(&self, keys: &KeyTerms, newest: u32, memory: &dyn SecretMemory) -> Result<(), CryptoError> {
        keys.learn(newest, Secret::copy_from(memory, self.newest())?);
        if self.is_renewing() {
            keys.learn(newest.saturating_sub(1), Secret::copy_from(memory, self.before())?);
        }
        keys.retire_before(newest.saturating_sub(u32::from(self.is_renewing())));
        Ok(())
    }
}

const RENEWING_BYTES: usize = 2 * KEY_BYTES;

/// The machine keys in use, one for each principal, whoever holds it: from the moment a new term is known, nobody seals with the one
/// before, and what was found before still opens.
#[derive(Default)]
pub struct MachineKeys(Mutex<Books>);

#[derive(Default)]
struct Books {
    used: HashMap<i64, Weak<KeyTerms>>,
    renewed: VecDeque<Arc<KeyTerms>>,
}

impl MachineKeys {
    /// The key of a principal, with the terms that its row has.
    ///
    /// # Errors
    /// [`CryptoError::Memory`].
    pub fn of(
        &self,
        principal: i64,
        (stored, newest): (&StoredKey, u32),
        memory: &dyn SecretMemory,
    ) -> Result<Arc<KeyTerms>, CryptoError> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner).keys_of(principal);
        stored.teach(&keys, newest, memory)?;
        Ok(keys)
    }

    /// Has whoever holds the key of a principal open what is sealed with a new term, which begins when what is being written is
    /// committed: somebody may read that sooner than it is known to be.
    ///
    /// # Errors
    /// [`CryptoError::Memory`].
    pub fn expect(&self, principal: i64, renewed: &StoredKey, memory: &dyn SecretMemory) -> Result<(), CryptoError> {
        let key = Secret::copy_from(memory, renewed.newest())?;
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = books.keys_of(principal);
        keys.expect(key);
        if !books.renewed.iter().any(|renewed| Arc::ptr_eq(renewed, &keys)) {
            books.renewed.push_back(keys);
            if books.renewed.len() > RENEWED {
                books.renewed.pop_front();
            }
        }
        Ok(())
    }
}

impl Books {
    /// The key of a principal, of which nothing may be known yet.
    fn keys_of(&mut self, principal: i64) -> Arc<KeyTerms> {
        let keys = self.used.get(&principal).and_then(Weak::upgrade).unwrap_or_default();
        if self.used.len() >= KEPT {
            self.used.retain(|_, keys| keys.strong_count() > 0);
        }
        self.used.insert(principal, Arc::downgrade(&keys));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    #[test]
    fn whoever_holds_the_key_learns_of_a_new_term() {
        let (keys, memory) = (MachineKeys::default(), &HeapMemory);
        let first = StoredKey::generate(memory).unwrap();
        let held = keys.of(7, (&first, 1), memory).unwrap();
        let sealed_before = held.seal("test", b"", b"text").unwrap();
        let both = first.renew(memory).unwrap();
        assert!(both.is_renewing() && !first.is_renewing());
        let found = keys.of(7, (&both, 2), memory).unwrap();
        assert!(held.newest().unwrap().expose() == found.newest().unwrap().expose());
        assert!(!held.is_newest("test", b"", &sealed_before).unwrap());
        assert_eq!(&*held.open_record("test", b"", &sealed_before).unwrap(), b"text");
    }

    #[test]
    fn a_row_that_was_read_before_does_not_bring_the_earlier_term_back() {
        let (keys, memory) = (MachineKeys::default(), &HeapMemory);
        let first = StoredKey::generate(memory).unwrap();
        let second = first.renew(memory).unwrap().settle(memory).unwrap();
        let late = keys.of(7, (&first, 1), memory).unwrap();
        keys.of(7, (&second, 2), memory).unwrap();
        assert!(late.newest().unwrap().expose() == second.expose());
    }

    #[test]
    fn who_comes_late_with_a_row_of_before_finds_the_new_term() {
        let (keys, memory) = (MachineKeys::default(), &HeapMemory);
        let first = StoredKey::generate(memory).unwrap();
        let both = first.renew(memory).unwrap();
        keys.expect(7, &both, memory).unwrap();
        drop(keys.of(7, (&both, 2), memory).unwrap());
        let late = keys.of(7, (&first, 1), memory).unwrap();
        assert_eq!(late.newest_term(), 2);
    }

    #[test]
    fn principals_do_not_share_a_key() {
        let (keys, memory) = (MachineKeys::default(), &HeapMemory);
        let (one, other) = (StoredKey::generate(memory).unwrap(), StoredKey::generate(memory).unwrap());
        let one = keys.of(1, (&one, 1), memory).unwrap();
        let other = keys.of(2, (&other, 1), memory).unwrap();
        assert!(one.newest().unwrap().expose() != other.newest().unwrap().expose());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for len in [0, 31, 33, 63, 65] {
            let bytes = Secret::zeroed(&HeapMemory, len).unwrap();
            assert_eq!(StoredKey::parse(bytes).err(), Some(CryptoError::KeyLength(len)));
        }
    }
}
