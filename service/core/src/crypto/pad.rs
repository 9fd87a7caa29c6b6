//! Values are padded to size classes before they are encrypted, so that a copied store does not tell what kind of token
//! lies in a row.
//!
//! Inside the encryption: `length(4, big-endian) | value | zeros`, together as long as the class. Classes are the powers
//! of two from 64 to 4096 bytes, because that is where passwords, API keys and signed tokens lie and where a length would
//! name the issuer; above, each octave has eight equal steps, which costs at most an eighth of the size.

use crate::Secret;
use crate::crypto::CryptoError;
use crate::port::SecretMemory;

/// Longest value, bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

const LENGTH_BYTES: usize = 4;
const SMALLEST: usize = 64;
const POWERS_UP_TO: usize = 4096;
const STEPS: usize = 8;

/// Padded length of a value; `None` over [`VALUE_BYTES_MAX`].
pub fn padded_len(value_len: usize) -> Option<usize> {
    if value_len > VALUE_BYTES_MAX {
        return None;
    }
    let needed = value_len.saturating_add(LENGTH_BYTES);
    if needed <= POWERS_UP_TO {
        return Some(needed.max(SMALLEST).next_power_of_two());
    }
    let octave = needed.next_power_of_two() / 2;
    Some(needed.next_multiple_of(octave / STEPS))
}

/// Pads `value`.
///
/// # Errors
/// [`CryptoError::TooLong`], [`CryptoError::Memory`].
pub fn pad(value: &[u8], memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
    let padded_len = padded_len(value.len()).ok_or(CryptoError::TooLong)?;
    let length = u32::try_from(value.len()).map_err(|_| CryptoError::TooLong)?;
    let mut padded = Secret::zeroed(memory, padded_len)?;
    let (head, body) = padded.expose_mut().split_at_mut(LENGTH_BYTES);
    head.copy_from_slice(&length.to_be_bytes());
    body.split_at_mut(value.len()).0.copy_from_slice(value);
    Ok(padded)
}

/// The value inside what [`pad`] made, where it lies.
///
/// # Errors
/// [`CryptoError::Padding`] when the length is not that of the class or the rest is not zero.
pub fn value(padded: &[u8]) -> Result<&[u8], CryptoError> {
    let (length, body) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(CryptoError::Padding)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CryptoError::Padding)?;
    if padded_len(length) != Some(padded.len()) {
        return Err(CryptoError::Padding);
    }
    let (value, zeros) = body.split_at_checked(length).ok_or(CryptoError::Padding)?;
    if zeros.iter().fold(0, |any, byte| any | byte) != 0 {
        return Err(CryptoError::Padding);
    }
    Ok(value)
}

/// The value alone, where it lies.
///
/// # Errors
/// As [`value`].
pub fn unpad(padded: Secret) -> Result<Secret, CryptoError> {
    let len = value(padded.expose())?.len();
    Ok(padded.narrow(LENGTH_BYTES..LENGTH_BYTES + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    #[test]
    fn every_length_at_a_class_border_comes_back() {
        for class in [64usize, 128, 4096, 4608, 8192, 9216, 65_536, 73_728] {
            for len in [class - 5, class - 4, class - 3] {
                let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8 + 1).collect();
                let padded = pad(&value, &HeapMemory).unwrap();
                assert_eq!(Some(padded.len()), padded_len(len));
                assert!(unpad(padded).unwrap().expose() == value);
            }
        }
    }

    #[test]
    fn classes_grow_and_waste_at_most_an_eighth_above_four_kilobytes() {
        let mut last = 0;
        for len in (0..100_000).chain((100_000..=VALUE_BYTES_MAX).step_by(4_099)) {
            let padded = padded_len(len).unwrap();
            assert!(padded >= len + 4 && padded >= last, "{len}");
            assert!(len + 4 <= 4096 || padded - len - 4 <= padded / 8, "{len}");
            last = padded;
        }
    }

    #[test]
    fn small_tokens_fall_into_seven_classes() {
        let classes: std::collections::BTreeSet<_> = (0..=4092).map(padded_len).collect();
        assert_eq!(classes.len(), 7);
    }

    #[test]
    fn a_value_over_the_limit_is_refused() {
        assert_eq!(padded_len(VALUE_BYTES_MAX + 1), None);
        assert_eq!(padded_len(usize::MAX), None);
        assert!(padded_len(VALUE_BYTES_MAX).is_some());
    }
}
