//! Kind `passphrase`: the client stretches the passphrase with argon2id (RFC 9106) and hands over 32 bytes; the KEK is
//! derived from them. The daemon runs no argon2, it only keeps salt and parameters and refuses weak ones.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{SlotError, SlotKind, kek_of};
use crate::Secret;
use crate::crypto::VaultId;
use crate::port::SecretMemory;

const SALT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const MALFORMED: &str = "the passphrase parameters are not of the form '$argon2id$v=19$m=65536,t=3,p=1'";

/// Data of a passphrase slot.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Passphrase {
    #[cbor(n(0), with = "minicbor::bytes")]
    salt: Vec<u8>,
    #[cbor(n(1))]
    params: String,
}

impl Passphrase {
    pub(super) fn new(salt: &[u8], params: &str) -> Result<Self, SlotError> {
        let passphrase = Self { salt: salt.to_vec(), params: params.to_owned() };
        passphrase.check()?;
        Ok(passphrase)
    }

    pub(super) fn check(&self) -> Result<(), SlotError> {
        if !SALT_BYTES.contains(&self.salt.len()) {
            return Err(SlotError::Parameters("the salt of a passphrase has 16 to 64 bytes"));
        }
        Argon2Params::parse(&self.params).map(|_| ())
    }

    /// Salt for argon2id.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Parameters for argon2id, in PHC form.
    pub fn params(&self) -> &str {
        &self.params
    }
}

pub(super) fn kek(derived: &Secret, vault_id: &VaultId, memory: &dyn SecretMemory) -> Result<Secret, SlotError> {
    kek_of(derived, SlotKind::Passphrase, vault_id, memory)
}

/// Parameters of argon2id, version 1.3, within the bounds this vault allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// Floors: less could be guessed too fast. Ceilings: a changed store must not make clients allocate without bound.
    const MEMORY_KIB: std::ops::RangeInclusive<u32> = 65_536..=4_194_304;
    const PASSES: std::ops::RangeInclusive<u32> = 3..=1024;
    const LANES: std::ops::RangeInclusive<u32> = 1..=64;

    /// Reads the PHC form, `$argon2id$v=19$m=KIB,t=PASSES,p=LANES`, written exactly so.
    ///
    /// # Errors
    /// [`SlotError::Parameters`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, SlotError> {
        let malformed = SlotError::Parameters(MALFORMED);
        let numbers = text.strip_prefix("$argon2id$v=19$").ok_or(malformed.clone())?;
        let mut fields = numbers.split(',');
        let mut next = |key: &str| {
            let number = fields.next().and_then(|field| field.strip_prefix(key))?;
            number.parse::<u32>().ok()
        };
        let (Some(memory_kib), Some(passes), Some(lanes)) = (next("m="), next("t="), next("p=")) else {
            return Err(malformed);
        };
        let params = Self { memory_kib, passes, lanes };
        // Anything else than the one spelling (signs, leading zeros, more fields) is refused.
        if params.to_string() != text {
            return Err(malformed);
        }
        params.check()
    }

    fn check(self) -> Result<Self, SlotError> {
        if self.memory_kib < *Self::MEMORY_KIB.start() || self.passes < *Self::PASSES.start() {
            return Err(SlotError::Parameters(
                "the passphrase parameters are too weak; at least m=65536 (64 MiB) and t=3 are needed",
            ));
        }
        let within = Self::MEMORY_KIB.contains(&self.memory_kib)
            && Self::PASSES.contains(&self.passes)
            && Self::LANES.contains(&self.lanes);
        if !within {
            return Err(SlotError::Parameters(
                "the passphrase parameters are out of bounds; at most m=4194304 (4 GiB), t=1024 and p=64 are allowed",
            ));
        }
        Ok(self)
    }
}

impl fmt::Display for Argon2Params {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "$argon2id$v=19$m={},t={},p={}", self.memory_kib, self.passes, self.lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_at_the_floor_and_above_are_taken() {
        for text in ["$argon2id$v=19$m=65536,t=3,p=1", "$argon2id$v=19$m=1048576,t=9,p=4"] {
            assert_eq!(Argon2Params::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn weak_parameters_are_refused_as_weak() {
        for text in ["$argon2id$v=19$m=65535,t=3,p=1", "$argon2id$v=19$m=65536,t=2,p=1", "$argon2id$v=19$m=0,t=0,p=1"] {
            let Err(SlotError::Parameters(reason)) = Argon2Params::parse(text) else { panic!("{text}") };
            assert!(reason.contains("too weak"), "{text}");
        }
    }

    #[test]
    fn other_spellings_algorithms_and_sizes_are_refused() {
        for text in [
            "",
            "$argon2i$v=19$m=65536,t=3,p=1",
            "$argon2id$v=16$m=65536,t=3,p=1",
            "$argon2id$v=19$t=3,m=65536,p=1",
            "$argon2id$v=19$m=065536,t=3,p=1",
            "$argon2id$v=19$m=+65536,t=3,p=1",
            "$argon2id$v=19$m=65536,t=3",
            "$argon2id$v=19$m=65536,t=3,p=1,data=x",
            "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA",
            "$argon2id$v=19$m=65536,t=3,p=0",
            "$argon2id$v=19$m=4294967295,t=3,p=1",
            "$argon2id$v=19$m=99999999999,t=3,p=1",
        ] {
            assert!(Argon2Params::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_salt_too_short_or_too_long_is_refused() {
        for (len, good) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            assert_eq!(Passphrase::new(&vec![1; len], "$argon2id$v=19$m=65536,t=3,p=1").is_ok(), good, "{len}");
        }
    }
}
