//! How a key is written on paper: the vault's recovery key, and the recovery code of a user.
//!
//! The bytes are groups of four. A group is its bytes in modhex (the sixteen letters that stand on the same keys of
//! nearly every keyboard, first the high half of a byte), then one check character. Groups are joined with dashes:
//!
//! ```text
//! ccccccccc-ccccccccb-...          32 bytes: 8 groups of 9 characters, 79 in all; 20 bytes: 5 groups, 49 in all
//! ```
//!
//! The check character is computed in GF(16) with the polynomial x^4 + x + 1: the number of the group (from 0) plus the sum
//! of alpha^i times the i-th character (from 1), alpha = 2. The weights are distinct and none is zero, so one wrong
//! character, two characters swapped, or two groups swapped never pass, and the group at fault is known.
//!
//! What is read back may be in either case and have spaces, line ends and dashes anywhere or nowhere.

use zeroize::{Zeroize as _, Zeroizing};

const ALPHABET: &[u8; 16] = b"cbdefghijklnrtuv";
const BYTES_PER_GROUP: usize = 4;
const CHARACTERS_PER_GROUP: usize = 2 * BYTES_PER_GROUP + 1;

/// Characters of a written key of so many bytes, a multiple of four, the dashes included.
pub const fn written_len(key_bytes: usize) -> usize {
    let groups = key_bytes / BYTES_PER_GROUP;
    groups * CHARACTERS_PER_GROUP + groups.saturating_sub(1)
}

/// What is wrong with a typed key. Never says what was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum WrittenKeyError {
    /// Too few or too many characters.
    Length {
        /// Letters such a key has.
        expected: usize,
        /// Letters there were.
        found: usize,
    },
    /// These groups, counted from one, do not agree with their check characters.
    Groups(Vec<usize>),
}

impl std::fmt::Display for WrittenKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length { expected, found } => write!(f, "{expected} letters are needed and there are {found}"),
            Self::Groups(groups) => {
                let numbers: Vec<String> = groups.iter().map(usize::to_string).collect();
                let (noun, verb) = if groups.len() == 1 { ("group", "is") } else { ("groups", "are") };
                write!(f, "{noun} {} {verb} mistyped", numbers.join(", "))
            }
        }
    }
}

impl std::error::Error for WrittenKeyError {}

/// Writes a key, a multiple of four bytes; `put` is given one ASCII character after the other.
pub fn write_key(key: &[u8], mut put: impl FnMut(u8)) {
    for (index, bytes) in key.chunks(BYTES_PER_GROUP).enumerate() {
        let mut values = [0_u8; CHARACTERS_PER_GROUP];
        for (pair, byte) in values.chunks_mut(2).zip(bytes) {
            pair.copy_from_slice(&[byte >> 4, byte & 0x0f]);
        }
        let check = check(index, values.iter().take(2 * BYTES_PER_GROUP));
        if let Some(last) = values.last_mut() {
            *last = check;
        }
        if index > 0 {
            put(b'-');
        }
        values.iter().map(|value| character(*value)).for_each(&mut put);
        values.zeroize();
    }
}

/// Reads the key that was written into `key`, which has its length.
///
/// # Errors
/// [`WrittenKeyError`], naming every group that is wrong; what is in `key` is then nothing.
pub fn read_key(text: &[u8], key: &mut [u8]) -> Result<(), WrittenKeyError> {
    let expected = key.len() / BYTES_PER_GROUP * CHARACTERS_PER_GROUP;
    let mut letters = Zeroizing::new(vec![0_u8; expected]);
    let mut found = 0;
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'-') {
        if let Some(letter) = letters.get_mut(found) {
            *letter = byte.to_ascii_lowercase();
        }
        found += 1;
    }
    if found != expected {
        return Err(WrittenKeyError::Length { expected, found });
    }
    let mut wrong = Vec::new();
    let groups = letters.chunks(CHARACTERS_PER_GROUP).zip(key.chunks_mut(BYTES_PER_GROUP));
    for (index, (letters, bytes)) in groups.enumerate() {
        if decode_group(index, letters, bytes).is_none() {
            wrong.push(index + 1);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(WrittenKeyError::Groups(wrong)) }
}

fn decode_group(index: usize, letters: &[u8], bytes: &mut [u8]) -> Option<()> {
    let mut values = Zeroizing::new([0_u8; CHARACTERS_PER_GROUP]);
    for (value, letter) in values.iter_mut().zip(letters) {
        *value = u8::try_from(ALPHABET.iter().position(|known| known == letter)?).ok()?;
    }
    let expected = check(index, values.iter().take(2 * BYTES_PER_GROUP));
    if values.last() != Some(&expected) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(values.chunks(2)) {
        if let [high, low] = pair {
            *byte = high << 4 | low;
        }
    }
    Some(())
}

/// Check value of the group with this number.
fn check<'a>(index: usize, values: impl Iterator<Item = &'a u8>) -> u8 {
    let mut sum = u8::try_from(index).unwrap_or_default() & 0x0f;
    let mut weight = 1;
    for value in values {
        weight = multiply(weight, 2);
        sum ^= multiply(weight, *value);
    }
    sum
}

/// Product in GF(16) with x^4 + x + 1.
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0;
    let mut shifted = a;
    for bit in 0..4 {
        if b >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted = if shifted & 0x08 == 0 { shifted << 1 } else { (shifted << 1 ^ 0b1_0011) & 0x0f };
    }
    product
}

fn character(value: u8) -> u8 {
    ALPHABET.get(usize::from(value & 0x0f)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_BYTES: usize = 32;
    const GROUPS: usize = 8;

    fn key() -> [u8; KEY_BYTES] {
        std::array::from_fn(|index| u8::try_from(index * 37 % 256).unwrap())
    }

    fn written(key: &[u8]) -> String {
        let mut text = String::new();
        write_key(key, |letter| text.push(letter.into()));
        text
    }

    fn code() -> Vec<u8> {
        written(&key()).into_bytes()
    }

    fn decode(text: &[u8]) -> Result<[u8; KEY_BYTES], WrittenKeyError> {
        let mut key = [0; KEY_BYTES];
        read_key(text, &mut key).map(|()| key)
    }

    /// The code without dashes.
    fn letters() -> Vec<u8> {
        code().into_iter().filter(|byte| *byte != b'-').collect()
    }

    #[test]
    fn the_writing_is_what_the_description_says() {
        assert_eq!(
            written(&[0; KEY_BYTES]),
            "ccccccccc-ccccccccb-ccccccccd-cccccccce-ccccccccf-ccccccccg-cccccccch-cccccccci"
        );
        assert_eq!(written(&[0; 20]), "ccccccccc-ccccccccb-ccccccccd-cccccccce-ccccccccf");
        assert_eq!((code().len(), written(&[7; 20]).len()), (written_len(KEY_BYTES), written_len(20)));
    }

    #[test]
    fn what_was_written_is_read_back() {
        assert_eq!(decode(&code()).unwrap(), key());
    }

    #[test]
    fn case_spaces_and_missing_dashes_do_not_matter() {
        let upper = code().to_ascii_uppercase();
        assert_eq!(decode(&upper).unwrap(), key());
        assert_eq!(decode(&letters()).unwrap(), key());
        let spaced: Vec<u8> = letters().iter().flat_map(|byte| [*byte, b' ']).chain(*b"\r\n").collect();
        assert_eq!(decode(&spaced).unwrap(), key());
    }

    #[test]
    fn any_single_wrong_character_is_found_in_its_group() {
        let good = letters();
        for position in 0..good.len() {
            for wrong in ALPHABET.iter().chain(b"axz0\xff").filter(|wrong| **wrong != good[position]) {
                let mut bad = good.clone();
                bad[position] = *wrong;
                assert_eq!(
                    decode(&bad).unwrap_err(),
                    WrittenKeyError::Groups(vec![position / CHARACTERS_PER_GROUP + 1])
                );
            }
        }
    }

    #[test]
    fn any_two_swapped_characters_of_a_group_are_found() {
        let good = letters();
        for group in 0..GROUPS {
            for first in 0..CHARACTERS_PER_GROUP {
                for second in first + 1..CHARACTERS_PER_GROUP {
                    let (a, b) = (group * CHARACTERS_PER_GROUP + first, group * CHARACTERS_PER_GROUP + second);
                    let mut bad = good.clone();
                    bad.swap(a, b);
                    assert_eq!(decode(&bad).is_ok(), good[a] == good[b]);
                }
            }
        }
    }

    #[test]
    fn two_swapped_groups_are_found() {
        let mut groups: Vec<Vec<u8>> = letters().chunks(CHARACTERS_PER_GROUP).map(<[u8]>::to_vec).collect();
        groups.swap(2, 5);
        assert_eq!(decode(&groups.concat()).unwrap_err(), WrittenKeyError::Groups(vec![3, 6]));
    }

    #[test]
    fn a_wrong_length_is_told_with_both_numbers() {
        assert_eq!(decode(b"").unwrap_err(), WrittenKeyError::Length { expected: 72, found: 0 });
        let long = [letters(), b"cc".to_vec()].concat();
        assert_eq!(decode(&long).unwrap_err().to_string(), "72 letters are needed and there are 74");
    }
}
