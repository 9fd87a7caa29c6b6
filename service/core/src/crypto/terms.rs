//! A key that is renewed: the key of the newest term seals, those of earlier terms still open what they have sealed.
//!
//! All who use the key hold the same [`KeyTerms`]: from the moment a new term is known nobody seals with an earlier one. What an
//! earlier term has sealed tells itself apart by its commitment, see [`wrap`], before anything is decrypted.

use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::{CryptoError, wrap};
use crate::Secret;
use crate::port::SecretMemory;

/// Terms that are kept in mind, more only where something that is stored needs them. What is under way was begun in one of them.
const TERMS: usize = 64;

#[derive(Clone)]
struct Term {
    number: u32,
    key: Arc<Secret>,
    /// Whether nothing that is stored needs it.
    is_retired: bool,
}

#[derive(Default)]
struct Known {
    /// The newest first.
    terms: Vec<Term>,
    /// Of terms that are about to begin. Nothing is sealed with these.
    expected: Vec<Arc<Secret>>,
}

impl Known {
    /// Forgets the oldest of those that nothing stored needs, where there are more than are kept in mind.
    fn let_go(&mut self) {
        while self.terms.len() > TERMS
            && let Some(at) = self.terms.iter().rposition(|term| term.is_retired)
        {
            self.terms.remove(at);
        }
    }
}

/// The terms of one key that are known.
#[derive(Default)]
pub struct KeyTerms(RwLock<Known>);

impl KeyTerms {
    /// One key, of its only term.
    pub fn of(number: u32, key: Secret) -> Self {
        let terms = Self::default();
        terms.learn(number, key);
        terms
    }

    /// From here on this term is known too; nothing changes where it was.
    pub fn learn(&self, number: u32, key: Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(at) = known.terms.binary_search_by(|term| number.cmp(&term.number)) {
            known.terms.insert(at, Term { number, key: Arc::new(key), is_retired: false });
            if at == 0 {
                known.expected.clear();
            }
            known.let_go();
        }
    }

    /// What this key has sealed opens from here on: of a term that begins unless what is under way is undone.
    pub fn expect(&self, key: Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.expected.insert(0, Arc::new(key));
        known.expected.truncate(TERMS);
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key of the newest term.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`] when no term is known.
    pub fn newest(&self) -> Result<Arc<Secret>, CryptoError> {
        self.known(|known| known.terms.first().map(|term| Arc::clone(&term.key))).ok_or(CryptoError::KeyLength(0))
    }

    /// The keys of a term and of all behind it, and those of terms that begin unless what is under way is undone: what somebody reads
    /// who began when that term was the newest is of one of these.
    pub fn since(&self, number: u32) -> Vec<Arc<Secret>> {
        let since = |known: &Known| {
            let begun = known.terms.iter().filter(|term| term.number >= number).map(|term| Arc::clone(&term.key));
            begun.chain(known.expected.iter().cloned()).collect()
        };
        self.known(since)
    }

    /// All terms that are known, also those that nothing stored needs, the newest first.
    pub fn every(&self) -> Vec<Arc<Secret>> {
        self.known(|known| known.terms.iter().map(|term| Arc::clone(&term.key)).collect())
    }

    /// All terms that are in use, the newest first.
    pub fn all(&self) -> Vec<(u32, Arc<Secret>)> {
        let used = |known: &Known| {
            let used = known.terms.iter().filter(|term| !term.is_retired);
            used.map(|term| (term.number, Arc::clone(&term.key))).collect()
        };
        self.known(used)
    }

    /// The key of one term.
    pub fn of_term(&self, number: u32) -> Option<Arc<Secret>> {
        self.known(|known| known.terms.iter().find(|term| term.number == number).map(|term| Arc::clone(&term.key)))
    }

    /// From here on nothing that is stored needs this term: only who has read something before opens that with it.
    pub fn retire(&self, number: u32) {
        self.retire_where(|term| term == number);
    }

    /// The same of all terms before one.
    pub fn retire_before(&self, number: u32) {
        self.retire_where(|term| term < number);
    }

    fn retire_where(&self, is_meant: impl Fn(u32) -> bool) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.terms.iter_mut().filter(|term| is_meant(term.number)).for_each(|term| term.is_retired = true);
        known.let_go();
    }

    /// Number of the newest term; 0 when none is known.
    pub fn newest_term(&self) -> u32 {
        self.known(|known| known.terms.first().map_or(0, |term| term.number))
    }

    /// Seals with the newest term, as [`wrap::seal`].
    ///
    /// # Errors
    /// As there.
    pub fn seal(&self, purpose: &str, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        wrap::seal(&*self.newest()?, purpose, aad, plaintext)
    }

    /// Opens what any known term has sealed, as [`wrap::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(
        &self,
        purpose: &str,
        aad: &[u8],
        blob: &[u8],
        memory: &dyn SecretMemory,
    ) -> Result<Secret, CryptoError> {
        self.try_each(|key| wrap::open(key, purpose, aad, blob, memory))
    }

    /// The same into ordinary memory that is wiped when dropped, as [`wrap::open_record`].
    ///
    /// # Errors
    /// As there.
    pub fn open_record(&self, purpose: &str, aad: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.try_each(|key| wrap::open_record(key, purpose, aad, blob))
    }

    /// Whether the newest term has sealed it. What no known term has sealed is not told apart.
    ///
    /// # Errors
    /// As [`wrap::is_sealed_with`].
    pub fn is_newest(&self, purpose: &str, aad: &[u8], blob: &[u8]) -> Result<bool, CryptoError> {
        wrap::is_sealed_with(&*self.newest()?, purpose, aad, blob)
    }

    fn try_each<T>(&self, open: impl Fn(&Secret) -> Result<T, CryptoError>) -> Result<T, CryptoError> {
        let newest = self.newest()?;
        match open(&newest) {
            Err(CryptoError::WrongKey) => {}
            opened => return opened,
        }
        // One that is newer may have become known meanwhile.
        let all = self.known(|known| {
            let terms = known.terms.iter().map(|term| Arc::clone(&term.key));
            terms.chain(known.expected.iter().cloned()).collect::<Vec<_>>()
        });
        for key in all.iter().filter(|key| !Arc::ptr_eq(key, &newest)) {
            match open(key) {
                Err(CryptoError::WrongKey) => {}
                opened => return opened,
            }
        }
        Err(CryptoError::WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    fn key(byte: u8) -> Secret {
        Secret::copy_from(&HeapMemory, &[byte; 32]).unwrap()
    }

    #[test]
    fn the_newest_seals_and_all_open_in_whatever_order_they_were_learnt() {
        let terms = KeyTerms::of(2, key(2));
        let of_two = terms.seal("test", b"here", b"two").unwrap();
        terms.learn(1, key(1));
        terms.learn(3, key(3));
        let of_three = terms.seal("test", b"here", b"three").unwrap();
        let of_one = wrap::seal(&key(1), "test", b"here", b"one").unwrap();
        for (blob, text, is_newest) in [(&of_one, "one", false), (&of_two, "two", false), (&of_three, "three", true)] {
            assert_eq!(&*terms.open_record("test", b"here", blob).unwrap(), text.as_bytes());
            assert_eq!(terms.open("test", b"here", blob, &HeapMemory).unwrap().expose(), text.as_bytes());
            assert_eq!(terms.is_newest("test", b"here", blob).unwrap(), is_newest);
        }
    }

    #[test]
    fn one_that_is_expected_opens_and_seals_nothing() {
        let terms = KeyTerms::of(1, key(1));
        terms.expect(key(2));
        let of_two = wrap::seal(&key(2), "test", b"", b"two").unwrap();
        assert_eq!(&*terms.open_record("test", b"", &of_two).unwrap(), b"two");
        assert!(terms.newest().unwrap().expose() == key(1).expose());
        assert!(!terms.is_newest("test", b"", &of_two).unwrap());
        assert_eq!(terms.since(terms.newest_term()).len(), 2);
        terms.learn(2, key(2));
        assert_eq!((terms.since(terms.newest_term()).len(), terms.every().len()), (1, 2), "what was expected has come");
    }

    #[test]
    fn a_term_that_is_retired_opens_what_was_read_before_and_is_in_use_no_more() {
        let terms = KeyTerms::of(1, key(1));
        let of_one = terms.seal("test", b"", b"one").unwrap();
        terms.learn(2, key(2));
        assert_eq!(terms.all().len(), 2);
        terms.retire(1);
        assert_eq!(terms.all().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2]);
        assert_eq!(&*terms.open_record("test", b"", &of_one).unwrap(), b"one");
    }

    #[test]
    fn of_many_terms_those_that_are_needed_stay_and_the_oldest_of_the_others_go() {
        let terms = KeyTerms::of(1, key(1));
        for number in 2..=200 {
            terms.learn(number, key(u8::try_from(number).unwrap()));
            terms.retire(number - 1 - u32::from(number == 2));
        }
        assert_eq!(terms.all().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [200, 1]);
        let is_known = |number| terms.of_term(number).is_some();
        assert!(is_known(1) && !is_known(2) && !is_known(136) && is_known(140) && is_known(200));
        terms.retire_before(200);
        assert_eq!(terms.all().len(), 1);
        terms.learn(201, key(201));
        assert!(!is_known(1) && is_known(200));
    }

    #[test]
    fn a_term_that_is_known_stays_what_it_is() {
        let terms = KeyTerms::of(1, key(1));
        terms.learn(1, key(9));
        assert!(terms.newest().unwrap().expose() == key(1).expose());
    }

    #[test]
    fn what_no_term_has_sealed_or_was_changed_does_not_open() {
        let terms = KeyTerms::of(1, key(1));
        terms.learn(2, key(2));
        let foreign = wrap::seal(&key(3), "test", b"", b"text").unwrap();
        assert_eq!(terms.open_record("test", b"", &foreign).unwrap_err(), CryptoError::WrongKey);
        let mut changed = wrap::seal(&key(1), "test", b"", b"text").unwrap();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(terms.open_record("test", b"", &changed).unwrap_err(), CryptoError::Damaged);
        assert_eq!(KeyTerms::default().seal("test", b"", b"").unwrap_err(), CryptoError::KeyLength(0));
    }
}
