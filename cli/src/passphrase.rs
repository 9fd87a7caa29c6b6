//! Passphrases of slots: chosen, asked for, and what a try should cost.
//!
//! The cost is measured when a slot is made, so that a try takes about a second on this machine, and travels with the slot.

use std::time::{Duration, Instant};

use tokenvault_kdf::{Cost, KdfError, Key};
use tokenvault_proto::ErrorCode;

use crate::failure::Failure;
use crate::input::{Echo, PASSPHRASE_BYTES_MAX, Source, Terminal, check_passphrase, read_passphrase};
use crate::secret::SecretBytes;

/// Kind of the slot.
pub const KIND: &str = "passphrase";
/// Bytes of a new salt.
pub const SALT_BYTES: usize = 32;

/// Most that is ever chosen: a small machine that starts must be able to pay it too.
const CHOSEN_KIB_MAX: u32 = 256 * 1024;
const CHOSEN_PASSES_MAX: u32 = 64;
/// Fewest characters of a new passphrase, as NIST SP 800-63B has it.
const CHARACTERS_MIN: usize = 8;
/// What a try should take.
const AIM: Duration = Duration::from_secs(1);

/// What takes about a second on this machine, and not less than the floor.
///
/// # Errors
/// When the memory of the floor is not there.
pub fn measured_cost() -> Result<Cost, Failure> {
    let begin = Instant::now();
    derive(b"a passphrase to measure with", &[0; SALT_BYTES], Cost::FLOOR)?;
    Ok(cost_for_pace(begin.elapsed(), memory_kib_max()))
}

/// The cost that takes [`AIM`] where the floor takes `floor`: first more memory, then more passes.
fn cost_for_pace(floor: Duration, kib_max: u32) -> Cost {
    let (least_kib, least_passes) = (f64::from(Cost::FLOOR.kib), f64::from(Cost::FLOOR.passes));
    let factor = AIM.as_secs_f64() / floor.as_secs_f64().max(0.001);
    let kib = (least_kib * factor).clamp(least_kib, f64::from(kib_max.max(Cost::FLOOR.kib)));
    let passes = (least_passes * factor * least_kib / kib).clamp(least_passes, f64::from(CHOSEN_PASSES_MAX));
    // Both are within bounds far below u32::MAX by now.
    Cost { kib: kib as u32 / 1024 * 1024, passes: passes as u32 }
}

/// The cost a slot was made with.
///
/// # Errors
/// `DamagedSlot` when it is none of ours, cheaper than the floor or dearer than any machine pays.
pub fn cost_of_slot(params: &str) -> Result<Cost, Failure> {
    Cost::from_phc(params).map_err(|_| {
        Failure::new(
            ErrorCode::DamagedSlot,
            format_args!("the slot's passphrase parameters '{params}' are not acceptable"),
            "unseal with the recovery key and make the slot anew",
        )
    })
}

/// Derives the key of a slot.
///
/// # Errors
/// When the memory is not there.
pub fn derive(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<Key, Failure> {
    cost.derive(passphrase, salt).map_err(|error| match error {
        KdfError::Memory { .. } => Failure::new(ErrorCode::Unavailable, error, "stop something large and try again"),
        KdfError::Params | KdfError::Salt => {
            Failure::new(ErrorCode::DamagedSlot, error, "unseal with the recovery key and make the slot anew")
        }
    })
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
    u32::try_from(total / 8).unwrap_or(u32::MAX).clamp(Cost::FLOOR.kib, CHOSEN_KIB_MAX)
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
    fn the_parameters_of_a_slot_that_are_none_of_ours_name_a_damaged_slot() {
        assert_eq!(cost_of_slot("$argon2id$v=19$m=8,t=1,p=1").unwrap_err().status(), 9);
        assert_eq!(cost_of_slot(&Cost::FLOOR.to_phc()).unwrap(), Cost::FLOOR);
    }

    #[test]
    fn a_slow_machine_pays_the_floor_and_a_fast_one_more_memory_then_more_passes() {
        assert_eq!(cost_for_pace(Duration::from_secs(5), CHOSEN_KIB_MAX), Cost::FLOOR);
        assert_eq!(cost_for_pace(Duration::from_millis(500), CHOSEN_KIB_MAX), Cost { kib: 131_072, passes: 3 });
        assert_eq!(cost_for_pace(Duration::from_millis(125), CHOSEN_KIB_MAX), Cost { kib: 262_144, passes: 6 });
        assert_eq!(cost_for_pace(Duration::ZERO, CHOSEN_KIB_MAX).passes, CHOSEN_PASSES_MAX);
        assert_eq!(cost_for_pace(Duration::from_millis(500), 0), Cost { kib: Cost::FLOOR.kib, passes: 6 });
    }
}
