//! Codes that people read to each other: of an offer, `XXXX-XXXX-XXXX-XXXX`.
//!
//! The characters are those of Crockford's base 32, without I, L, O and U; what is typed for them is read as what it looks
//! like, in either case, with or without hyphens and blanks. The first six (30 bits) find the offer, the other ten (50 bits)
//! are its secret: a wrong one counts against the offer that it was tried on.

use zeroize::Zeroizing;

use crate::crypto::{CryptoError, random};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 16;
/// Of these, how many find the offer.
const SELECTOR_CHARS: usize = 6;
const GROUP: usize = 4;
/// Longer than anybody writes one.
const TEXT_BYTES_MAX: usize = 64;

/// A code, as plain characters.
pub struct OfferCode(Zeroizing<[u8; CHARS]>);

impl OfferCode {
    /// A code nobody knows.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn random() -> Result<Self, CryptoError> {
        let mut code = Zeroizing::new([0; CHARS]);
        random::fill(code.as_mut_slice())?;
        for place in code.iter_mut() {
            // 256 is a whole multiple of 32: no character is likelier than another.
            *place = ALPHABET.get(usize::from(*place) % ALPHABET.len()).copied().unwrap_or_default();
        }
        Ok(Self(code))
    }

    /// From what somebody typed; `None` for what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut code = Zeroizing::new([0; CHARS]);
        let mut places = code.iter_mut();
        for character in text.bytes().filter(|character| !matches!(character, b'-' | b' ')) {
            let plain = match character.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            *places.next()? = Some(plain).filter(|plain| ALPHABET.contains(plain))?;
        }
        places.next().is_none().then_some(Self(code))
    }

    /// The part that finds the offer; no secret.
    pub fn selector(&self) -> &str {
        std::str::from_utf8(self.0.split_at(SELECTOR_CHARS).0).unwrap_or_default()
    }

    /// The part that is its secret.
    pub fn secret(&self) -> &[u8] {
        self.0.split_at(SELECTOR_CHARS).1
    }

    /// As it is shown.
    pub fn write(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARS + CHARS / GROUP));
        for (at, character) in self.0.iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*character));
        }
        text
    }
}

/// Whether this is how an offer is named: by the first characters of its code.
pub fn is_selector(text: &str) -> bool {
    text.len() == SELECTOR_CHARS && text.bytes().all(|character| ALPHABET.contains(&character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_written_and_as_people_write_it() {
        let code = OfferCode::random().unwrap();
        let text = code.write();
        assert_eq!((text.len(), text.matches('-').count()), (19, 3));
        assert!(is_selector(code.selector()));
        for typed in [text.to_string(), text.to_lowercase(), text.replace('-', ""), text.replace('-', " ")] {
            assert!(OfferCode::parse(&typed).unwrap().0 == code.0, "{typed}");
        }
        let alike = OfferCode::parse("oO0Il1LoooIIII00").unwrap();
        assert_eq!(alike.write().as_str(), "0001-1110-0011-1100");
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for text in ["", "0", "000000000000000", "00000000000000000", "000000000000000U", "000000000000000é", "0000_"]
        {
            assert!(OfferCode::parse(text).is_none(), "{text}");
        }
        assert!(OfferCode::parse(&"-".repeat(100)).is_none());
        assert!(!is_selector("00000u") && !is_selector("0000000") && !is_selector("00000U"));
    }
}
