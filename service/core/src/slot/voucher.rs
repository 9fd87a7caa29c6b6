//! The word of whoever has a private recovery key, that a vault's keys are those he was shown the vault with.
//!
//! Whoever knows the public key can make a slot for it: HPKE's base mode (RFC 9180) does not tell who has encrypted. So a vault that is
//! shown the private key leaves what nobody else could make: `HMAC-SHA256(Kv, vault id | slot(4) | HMAC-SHA256(integrity key, label))`
//! with `Kv = HKDF-SHA256(private key, label, vault id)`. Neither VK nor the slot's own key is part of it: both may be exchanged.

use crate::Secret;
use crate::crypto::{CryptoError, VaultId, kdf, mac};
use crate::keyring::Keyring;
use crate::port::{SecretMemory, Tag};

/// A recovery slot whose private key was shown, as the store has it: number(4), and behind it the voucher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Number of the slot.
    pub slot: u32,
    /// `None`: an earlier release has written this, which left none.
    pub voucher: Option<Tag>,
}

/// A private recovery key, and the vault whose slot it opens.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The private key.
    pub private: &'a Secret,
    /// Number of the slot that it opens.
    pub slot: u32,
    /// The vault.
    pub vault_id: &'a VaultId,
    /// The keys behind that slot.
    pub keyring: &'a Keyring,
    /// Where secrets are kept on the way.
    pub memory: &'a dyn SecretMemory,
}

/// What a voucher says of the keys that a private key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// They are those that this private key was shown with before.
    Vouched,
    /// Nothing: this private key was never shown, or to an earlier release.
    Nobody,
    /// They are others.
    Others,
}

impl Confirmed {
    /// Of what the store has; `None` where it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (slot, voucher) = bytes.split_first_chunk()?;
        let voucher = if voucher.is_empty() { None } else { Some(voucher.try_into().ok()?) };
        Some(Self { slot: u32::from_be_bytes(*slot), voucher })
    }

    /// As the store has it.
    pub fn encode(&self) -> Vec<u8> {
        [&self.slot.to_be_bytes()[..], self.voucher.as_ref().map_or(&[], |voucher| &voucher[..])].concat()
    }
}

impl Shown<'_> {
    /// What is to be kept of it.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`], [`CryptoError::Memory`].
    pub fn confirmed(&self) -> Result<Confirmed, CryptoError> {
        Ok(Confirmed { slot: self.slot, voucher: Some(self.voucher()?) })
    }

    /// What was kept says of it.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`], [`CryptoError::Memory`].
    pub fn word(&self, kept: Option<&Confirmed>) -> Result<Word, CryptoError> {
        match kept.filter(|kept| kept.slot == self.slot).and_then(|kept| kept.voucher) {
            None => Ok(Word::Nobody),
            Some(voucher) if mac::equal(&voucher, &self.voucher()?) => Ok(Word::Vouched),
            Some(_) => Ok(Word::Others),
        }
    }

    fn voucher(&self) -> Result<Tag, CryptoError> {
        let key = kdf::derive(self.private, "recovery-voucher", self.vault_id, self.memory)?;
        let keys = mac::compute(self.keyring.integrity(), &[b"recovery-voucher"]);
        Ok(mac::compute(&key, &[self.vault_id, &self.slot.to_be_bytes(), &keys]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    #[test]
    fn it_fits_this_key_slot_vault_and_keyring_alone() {
        let secret = |byte| Secret::copy_from(&HeapMemory, &[byte; 32]).unwrap();
        let (private, other) = (secret(1), secret(2));
        let (keyring, others) = (Keyring::generate(&HeapMemory).unwrap(), Keyring::generate(&HeapMemory).unwrap());
        let shown = Shown { private: &private, slot: 2, vault_id: &[3; 16], keyring: &keyring, memory: &HeapMemory };
        let kept = shown.confirmed().unwrap();
        assert_eq!(shown.word(Some(&kept)), Ok(Word::Vouched));
        for forged in [
            Shown { private: &other, ..shown },
            Shown { vault_id: &[4; 16], ..shown },
            Shown { keyring: &others, ..shown },
        ] {
            assert_eq!(forged.word(Some(&kept)), Ok(Word::Others));
        }
        // That it is said to be of another slot changes nothing.
        let moved = Confirmed { slot: 5, ..kept.clone() };
        assert_eq!(Shown { slot: 5, ..shown }.word(Some(&moved)), Ok(Word::Others));
        let earlier = Confirmed { slot: 2, voucher: None };
        for kept in [None, Some(&earlier), Some(&moved)] {
            assert_eq!(shown.word(kept), Ok(Word::Nobody));
        }
    }

    #[test]
    fn the_store_has_it_with_its_number_and_earlier_ones_without_a_voucher() {
        let confirmed = Confirmed { slot: 7, voucher: Some([9; 32]) };
        assert_eq!(confirmed.encode(), [&[0, 0, 0, 7][..], &[9; 32]].concat());
        assert_eq!(Confirmed::decode(&confirmed.encode()), Some(confirmed));
        assert_eq!(Confirmed::decode(&[0, 0, 0, 7]), Some(Confirmed { slot: 7, voucher: None }));
        for length in [0, 3, 5, 35, 37] {
            assert_eq!(Confirmed::decode(&vec![0; length]), None, "{length}");
        }
    }
}
