//! Numbers as text in base 62, of a fixed width: the digits `0-9A-Za-z` in this order, the most significant one first.
//!
//! A double click selects all of such a text, and no program that it passes through takes any of it for something else.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Most bytes of a number: a 256-bit secret.
pub const BYTES_MAX: usize = 32;

/// Bits of a part of a number that is reckoned with at a time.
const LIMB_BITS: u32 = 32;
const LIMB_BYTES: usize = 4;

/// Parts of a number, the most significant one first.
type Limbs = Zeroizing<[u32; BYTES_MAX / LIMB_BYTES]>;

/// Writes `number`, big-endian and of at most [`BYTES_MAX`] bytes, over all of `text`. What does not fit is lost: the width
/// is a constant of the format, and large enough.
pub fn encode(number: &[u8], text: &mut [u8]) {
    let mut limbs = Limbs::default();
    for (limb, bytes) in limbs.iter_mut().rev().zip(number.rchunks(LIMB_BYTES)) {
        *limb = bytes.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte));
    }
    for place in text.iter_mut().rev() {
        let mut rest = 0_u64;
        for limb in limbs.iter_mut() {
            let part = rest << LIMB_BITS | u64::from(*limb);
            // The rest is below 62, so what is divided is below 62 << 32 and the quotient one limb.
            *limb = u32::try_from(part / 62).unwrap_or_default();
            rest = part % 62;
        }
        *place = usize::try_from(rest).ok().and_then(|digit| ALPHABET.get(digit)).copied().unwrap_or_default();
    }
}

/// The number that `text` stands for, big-endian; `None` for what is no digit, or for a number that is too large: each number
/// has one text.
pub fn decode<const BYTES: usize>(text: &[u8]) -> Option<Zeroizing<[u8; BYTES]>> {
    let mut limbs = Limbs::default();
    for character in text {
        let mut carry = digit(*character)?;
        for limb in limbs.iter_mut().rev() {
            let part = u64::from(*limb) * 62 + carry;
            *limb = u32::try_from(part & u64::from(u32::MAX)).unwrap_or_default();
            carry = part >> LIMB_BITS;
        }
        if carry > 0 {
            return None;
        }
    }
    let mut number = Zeroizing::new([0; BYTES]);
    let (higher, lower) = limbs.split_at_checked((BYTES_MAX - BYTES) / LIMB_BYTES)?;
    for (bytes, limb) in number.chunks_mut(LIMB_BYTES).zip(lower) {
        bytes.copy_from_slice(&limb.to_be_bytes());
    }
    higher.iter().all(|limb| *limb == 0).then_some(number)
}

fn digit(character: u8) -> Option<u64> {
    let digit = match character {
        b'0'..=b'9' => character - b'0',
        b'A'..=b'Z' => character - b'A' + 10,
        b'a'..=b'z' => character - b'a' + 36,
        _ => return None,
    };
    Some(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(number: &[u8], width: usize) -> String {
        let mut text = vec![0; width];
        encode(number, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_least_and_the_largest_numbers_come_back() {
        assert_eq!(encoded(&[0; 16], 22), "0".repeat(22));
        assert_eq!(encoded(&61_u32.to_be_bytes(), 6), "00000z");
        assert_eq!(encoded(&62_u32.to_be_bytes(), 6), "000010");
        let mut largest = encoded(&[0xff; 32], 43);
        assert_eq!(decode::<32>(largest.as_bytes()).as_deref(), Some(&[0xff; 32]));
        assert_eq!(decode::<16>(encoded(&[0xff; 16], 22).as_bytes()).as_deref(), Some(&[0xff; 16]));
        largest.replace_range(42.., "z");
        assert!(decode::<32>(largest.as_bytes()).is_none(), "one more than fits");
        assert!(decode::<32>("z".repeat(43).as_bytes()).is_none());
    }

    #[test]
    fn a_number_that_is_too_large_for_its_bytes_is_none() {
        let text = encoded(&[0, 0, 0, 1, 0, 0, 0, 0], 22);
        assert!(decode::<4>(text.as_bytes()).is_none());
        assert_eq!(decode::<8>(text.as_bytes()).as_deref(), Some(&[0, 0, 0, 1, 0, 0, 0, 0]));
        assert!(decode::<16>("zzzzzzzzzzzzzzzzzzzzzz".as_bytes()).is_none());
    }

    #[test]
    fn what_is_no_digit_is_refused() {
        for text in ["-", " ", "a_", "é", "\0", "0\n"] {
            assert!(decode::<16>(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
