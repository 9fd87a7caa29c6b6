//! Keys from passphrases and login passwords: argon2id (RFC 9106). Computed by whoever has the passphrase, so that the daemon
//! never does expensive work for anybody and never sees one.
//!
//! Parameters travel in PHC form (`$argon2id$v=19$m=65536,t=3,p=1`). What comes from a vault is checked before any memory is
//! taken for it. The number of lanes is always one.
#![forbid(unsafe_code)]

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

/// Length of a derived key.
pub const KEY_BYTES: usize = 32;

/// A derived key. Wiped on drop.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KdfError {
    /// The parameters are not ours, cheaper than [`Cost::FLOOR`] or dearer than any machine pays.
    Params,
    /// The salt is too short or too long.
    Salt,
    /// The memory is not there.
    Memory {
        /// How much it takes.
        mib: u32,
    },
}

impl std::fmt::Display for KdfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Params => f.write_str("the parameters of the passphrase are not acceptable"),
            Self::Salt => f.write_str("the salt of the passphrase is not acceptable"),
            Self::Memory { mib } => write!(f, "{mib} MiB of memory for the passphrase are not there"),
        }
    }
}

impl std::error::Error for KdfError {}

/// What one derivation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, KiB.
    pub kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Cost {
    /// The least that is ever paid: 64 MiB, three passes.
    pub const FLOOR: Self = Self { kib: 64 * 1024, passes: 3 };
    /// The most that is ever accepted.
    const ACCEPTED: Self = Self { kib: 4 * 1024 * 1024, passes: 1024 };

    /// From parameters in PHC form.
    ///
    /// # Errors
    /// [`KdfError::Params`].
    pub fn from_phc(text: &str) -> Result<Self, KdfError> {
        Self::parse(text)
            .filter(|cost| (Self::FLOOR.kib..=Self::ACCEPTED.kib).contains(&cost.kib))
            .filter(|cost| (Self::FLOOR.passes..=Self::ACCEPTED.passes).contains(&cost.passes))
            .ok_or(KdfError::Params)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$m=")?.split(',');
        let kib = parts.next()?.parse().ok()?;
        let passes = parts.next()?.strip_prefix("t=")?.parse().ok()?;
        (parts.next()? == "p=1" && parts.next().is_none()).then_some(Self { kib, passes })
    }

    /// The parameters in PHC form.
    pub fn to_phc(self) -> String {
        format!("$argon2id$v=19$m={},t={},p=1", self.kib, self.passes)
    }

    /// Derives a key.
    ///
    /// # Errors
    /// [`KdfError::Memory`], [`KdfError::Salt`].
    pub fn derive(self, passphrase: &[u8], salt: &[u8]) -> Result<Key, KdfError> {
        let params = Params::new(self.kib, self.passes, 1, Some(KEY_BYTES)).map_err(|_| KdfError::Params)?;
        let mut memory: Vec<Block> = Vec::new();
        let absent = |_| KdfError::Memory { mib: self.kib / 1024 };
        memory.try_reserve_exact(params.block_count()).map_err(absent)?;
        memory.resize(params.block_count(), Block::default());
        let mut key = Key::default();
        let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            passphrase,
            salt,
            key.as_mut(),
            &mut memory,
        );
        memory.zeroize();
        result.map(|()| key).map_err(|_| KdfError::Salt)
    }
}

/// Derives a key with parameters in PHC form.
///
/// # Errors
/// See [`KdfError`].
pub fn derive(passphrase: &[u8], salt: &[u8], params: &str) -> Result<Key, KdfError> {
    Cost::from_phc(params)?.derive(passphrase, salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_the_way_through_a_slot() {
        let cost = Cost { kib: 131_072, passes: 7 };
        assert_eq!(cost.to_phc(), "$argon2id$v=19$m=131072,t=7,p=1");
        assert_eq!(Cost::from_phc(&cost.to_phc()).unwrap(), cost);
    }

    #[test]
    fn weakened_exhausting_and_foreign_parameters_are_refused() {
        for text in [
            "",
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=19$m=65536,t=2,p=1",
            "$argon2id$v=19$m=4294967295,t=3,p=1",
            "$argon2id$v=19$m=65536,t=4294967295,p=1",
            "$argon2id$v=19$m=65536,t=3,p=4",
            "$argon2id$v=16$m=65536,t=3,p=1",
            "$argon2i$v=19$m=65536,t=3,p=1",
            "$argon2id$v=19$m=65536,t=3,p=1,x=1",
        ] {
            assert_eq!(derive(b"horse", &[1; 16], text).unwrap_err(), KdfError::Params, "{text}");
        }
    }

    #[test]
    fn the_same_passphrase_and_salt_give_the_same_key_and_another_salt_another() {
        let derive = |salt: u8| Cost::FLOOR.derive(b"horse", &[salt; 32]).unwrap();
        assert_eq!(derive(1), derive(1));
        assert_ne!(derive(1), derive(2));
        assert_eq!(Cost::FLOOR.derive(b"horse", b"short").unwrap_err(), KdfError::Salt);
    }
}
