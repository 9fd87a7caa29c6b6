//! Keys from passphrases: argon2id (RFC 9106), computed here so that the daemon never does expensive work for anybody.
//!
//! Parameters are measured when a slot is made, so that a try costs about a second on this machine, and travel with the slot
//! in PHC form. What comes back from a slot is checked before any memory is taken for it.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokenvault_proto::{ErrorCode, SLOT_SECRET_BYTES};
use zeroize::{Zeroize as _, Zeroizing};

use crate::failure::Failure;
use crate::input::{Echo, PASSPHRASE_BYTES_MAX, Source, Terminal, check_passphrase, read_passphrase};
use crate::secret::SecretBytes;

/// Kind of the slot.
pub const KIND: &str = "passphrase";
/// Bytes of a new salt.
pub const SALT_BYTES: usize = 32;

/// Least cost: 64 MiB, three passes, as for a login password.
const FLOOR: Cost = Cost { kib: 64 * 1024, passes: 3 };
/// Most that is ever chosen: a small machine that starts must be able to pay it too.
const CHOSEN_KIB_MAX: u32 = 256 * 1024;
const CHOSEN_PASSES_MAX: u32 = 64;
/// Most that is ever accepted from a slot.
const ACCEPTED: Cost = Cost { kib: 4 * 1024 * 1024, passes: 1024 };
/// Fewest characters of a new passphrase, as NIST SP 800-63B has it.
const CHARACTERS_MIN: usize = 8;
/// What a try should take.
const AIM: Duration = Duration::from_secs(1);

/// A key derived from a passphrase. Wiped on drop.
pub type Key = Zeroizing<[u8; SLOT_SECRET_BYTES]>;

/// What one derivation costs; the number of lanes is always one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    kib: u32,
    passes: u32,
}

impl Cost {
    /// What takes about a second on this machine, and not less than the floor.
    ///
    /// # Errors
    /// When the memory of the floor is not there.
    pub fn measured() -> Result<Self, Failure> {
        let begin = Instant::now();
        derive(b"a passphrase to measure with", &[0; SALT_BYTES], FLOOR)?;
        Ok(Self::for_pace(begin.elapsed(), memory_kib_max()))
    }

    /// The cost that takes [`AIM`] where [`FLOOR`] takes `floor`: first more memory, then more passes.
    fn for_pace(floor: Duration, kib_max: u32) -> Self {
        let factor = AIM.as_secs_f64() / floor.as_secs_f64().max(0.001);
        let kib = (f64::from(FLOOR.kib) * factor).clamp(f64::from(FLOOR.kib), f64::from(kib_max.max(FLOOR.kib)));
        let passes = f64::from(FLOOR.passes) * factor * f64::from(FLOOR.kib) / kib;
        let passes = passes.clamp(f64::from(FLOOR.passes), f64::from(CHOSEN_PASSES_MAX));
        // Both are within bounds far below u32::MAX by now.
        Self { kib: kib as u32 / 1024 * 1024, passes: passes as u32 }
    }

    /// From the parameters of a slot.
    ///
    /// # Errors
    /// `DamagedSlot` when they are not ours, cheaper than the floor or dearer than any machine pays.
    pub fn from_phc(text: &str) -> Result<Self, Failure> {
        Self::parse(text)
            .filter(|cost| (FLOOR.kib..=ACCEPTED.kib).contains(&cost.kib))
            .filter(|cost| (FLOOR.passes..=ACCEPTED.passes).contains(&cost.passes))
            .ok_or_else(|| {
                Failure::new(
                    ErrorCode::DamagedSlot,
                    format_args!("the slot's passphrase parameters '{text}' are not acceptable"),
                    "unseal with the recovery key and make the slot anew",
                )
            })
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
}

/// Derives the key of a slot.
///
/// # Errors
/// When the memory is not there.
pub fn derive(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<Key, Failure> {
    let no_memory = || {
        Failure::new(
            ErrorCode::Unavailable,
            format_args!("{} MiB of memory for the passphrase are not there", cost.kib / 1024),
            "stop something large and try again",
        )
    };
    let unusable =
        |error| Failure::new(ErrorCode::DamagedSlot, error, "unseal with the recovery key and make the slot anew");
    let params = Params::new(cost.kib, cost.passes, 1, Some(SLOT_SECRET_BYTES)).map_err(unusable)?;
    let mut memory: Vec<Block> = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| no_memory())?;
    memory.resize(params.block_count(), Block::default());
    let mut key = Key::default();
    let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase,
        salt,
        key.as_mut(),
        &mut memory,
    );
    memory.zeroize();
    result.map_err(unusable)?;
    Ok(key)
}

/// A new salt.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_salt() -> Result<[u8; SALT_BYTES], Failure> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| {
        Failure::new(ErrorCode::Unavailable, format_args!("no random numbers: {error}"), "try again")
    })?;
    Ok(salt)
}

/// Asks for a new passphrase twice, or reads it.
///
/// # Errors
/// When it cannot be had or is too short.
pub fn choose(source: Option<&Source>) -> Result<SecretBytes, Failure> {
    let passphrase = match source {
        Some(source) => read_passphrase(source)?,
        None => Terminal::open(INSTEAD)?.ask_twice("New passphrase", PASSPHRASE_BYTES_MAX)?,
    };
    check_passphrase(&passphrase)?;
    check_length(&passphrase)?;
    Ok(passphrase)
}

/// Refuses a new passphrase that is guessed whatever a try costs. One that a slot has already is never measured.
fn check_length(passphrase: &SecretBytes) -> Result<(), Failure> {
    // What begins a character: every byte but those that continue one in UTF-8.
    let characters = passphrase.expose().iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    if characters < CHARACTERS_MIN {
        return Err(Failure::usage(
            format_args!("the new passphrase has fewer than {CHARACTERS_MIN} characters"),
            format_args!("choose one of several words, {CHARACTERS_MIN} characters or more"),
        ));
    }
    Ok(())
}

/// Asks for a passphrase once, or reads it.
///
/// # Errors
/// When it cannot be had or is empty.
pub fn ask(source: Option<&Source>) -> Result<SecretBytes, Failure> {
    match source {
        Some(source) => read_passphrase(source),
        None => {
            let passphrase = Terminal::open(INSTEAD)?.ask("Passphrase", Echo::Hidden, PASSPHRASE_BYTES_MAX)?;
            check_passphrase(&passphrase)?;
            Ok(passphrase)
        }
    }
}

const INSTEAD: &str = "hand it over with --passphrase-fd N";

/// Most memory a new slot may ask for: an eighth of the machine's, within the bounds of this module.
fn memory_kib_max() -> u32 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .unwrap_or_default();
    u32::try_from(total / 8).unwrap_or(u32::MAX).clamp(FLOOR.kib, CHOSEN_KIB_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_has_eight_characters_and_not_only_eight_bytes() {
        for (text, taken) in [("1234567", false), ("12345678", true), ("äöüäöüä", false), ("äöüäöüäö", true)]
        {
            let mut passphrase = SecretBytes::with_capacity(PASSPHRASE_BYTES_MAX);
            passphrase.extend(text.as_bytes()).unwrap();
            assert_eq!(check_length(&passphrase).is_ok(), taken, "{text}");
        }
    }

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
            assert_eq!(Cost::from_phc(text).unwrap_err().status(), 9, "{text}");
        }
    }

    #[test]
    fn a_slow_machine_pays_the_floor_and_a_fast_one_more_memory_then_more_passes() {
        assert_eq!(Cost::for_pace(Duration::from_secs(5), CHOSEN_KIB_MAX), FLOOR);
        assert_eq!(Cost::for_pace(Duration::from_millis(500), CHOSEN_KIB_MAX), Cost { kib: 131_072, passes: 3 });
        assert_eq!(Cost::for_pace(Duration::from_millis(125), CHOSEN_KIB_MAX), Cost { kib: 262_144, passes: 6 });
        assert_eq!(Cost::for_pace(Duration::ZERO, CHOSEN_KIB_MAX).passes, CHOSEN_PASSES_MAX);
        assert_eq!(Cost::for_pace(Duration::from_millis(500), 0), Cost { kib: FLOOR.kib, passes: 6 });
    }

    #[test]
    fn the_same_passphrase_and_salt_give_the_same_key_and_another_salt_another() {
        let key = derive(b"horse", &[1; SALT_BYTES], FLOOR).unwrap_or_else(|_| panic!());
        let same = derive(b"horse", &[1; SALT_BYTES], FLOOR).unwrap_or_else(|_| panic!());
        let other = derive(b"horse", &[2; SALT_BYTES], FLOOR).unwrap_or_else(|_| panic!());
        assert_eq!(key, same);
        assert_ne!(key, other);
    }
}
