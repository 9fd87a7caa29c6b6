//! Random tokens.
//!
//! Characters are drawn without bias: a random byte that does not fall into a whole multiple of the alphabet is thrown
//! away. There is no least strength, because a six-digit PIN is a fair wish; the default, 32 characters of base62, has
//! 190 bits.

use zeroize::Zeroizing;

use crate::crypto::{CryptoError, random};
use crate::port::SecretMemory;
use crate::{Error, Secret};

/// Most random characters.
pub const LENGTH_MAX: u32 = 4096;
/// Longest prefix, bytes.
pub const PREFIX_BYTES_MAX: usize = 64;

/// Random bytes drawn at a time.
const DRAW_BYTES: usize = 256;

/// The characters a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// `0-9A-Za-z`
    #[default]
    Base62,
    /// `0-9a-f`
    Hex,
    /// `A-Za-z0-9-_`
    Base64url,
    /// `0-9`
    Digits,
    /// Every visible ASCII character, `!` to `~`.
    Ascii,
}

impl Charset {
    /// By the name the interface gives it.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a name that is not one.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "base62" => Ok(Self::Base62),
            "hex" => Ok(Self::Hex),
            "base64url" => Ok(Self::Base64url),
            "digits" => Ok(Self::Digits),
            "ascii" => Ok(Self::Ascii),
            _ => Err(Error::InvalidArgs(
                "option 'charset' is none of 'base62', 'hex', 'base64url', 'digits', 'ascii'".into(),
            )),
        }
    }

    const fn alphabet(self) -> &'static [u8] {
        match self {
            Self::Base62 => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            Self::Hex => b"0123456789abcdef",
            Self::Base64url => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            Self::Digits => b"0123456789",
            Self::Ascii => {
                b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
            }
        }
    }

    /// The character a random byte stands for; `None` for a byte that would make some characters likelier than others.
    fn pick(self, byte: u8) -> Option<u8> {
        let alphabet = self.alphabet();
        let whole = 256 - 256 % alphabet.len();
        let byte = usize::from(byte);
        if byte < whole { alphabet.get(byte % alphabet.len()).copied() } else { None }
    }
}

/// What to generate: a fixed prefix, then random characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    charset: Charset,
    length: usize,
    prefix: String,
}

impl Recipe {
    /// Checks the wishes: `length` random characters, 1 to 4096; `prefix` of up to 64 visible ASCII characters, not
    /// counted in `length`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] naming the option.
    pub fn new(charset: Charset, length: u32, prefix: &str) -> Result<Self, Error> {
        if !(1..=LENGTH_MAX).contains(&length) {
            return Err(Error::InvalidArgs(format!("option 'length' is {length}, not between 1 and {LENGTH_MAX}")));
        }
        if prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::InvalidArgs(format!(
                "option 'prefix' is not at most {PREFIX_BYTES_MAX} visible ASCII characters"
            )));
        }
        let length = usize::try_from(length).map_err(|_| Error::InvalidArgs("option 'length' is too large".into()))?;
        Ok(Self { charset, length, prefix: prefix.to_owned() })
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`CryptoError::Random`], [`CryptoError::Memory`].
    pub fn generate(&self, memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
        let mut token = Secret::zeroed(memory, self.prefix.len().saturating_add(self.length))?;
        let (prefix, rest) = token.expose_mut().split_at_mut(self.prefix.len());
        prefix.copy_from_slice(self.prefix.as_bytes());
        let mut places = rest.iter_mut();
        let mut drawn = Zeroizing::new([0; DRAW_BYTES]);
        while places.len() > 0 {
            random::fill(drawn.as_mut_slice())?;
            let characters = drawn.iter().filter_map(|byte| self.charset.pick(*byte));
            for (character, place) in characters.zip(places.by_ref()) {
                *place = character;
            }
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    const ALL: [(&str, usize); 5] = [("base62", 62), ("hex", 16), ("base64url", 64), ("digits", 10), ("ascii", 94)];

    #[test]
    fn every_character_stands_for_equally_many_bytes() {
        for (name, size) in ALL {
            let charset = Charset::parse(name).unwrap();
            let mut counts = [0u32; 256];
            for character in (0..=255).filter_map(|byte| charset.pick(byte)) {
                counts[usize::from(character)] += 1;
            }
            let used: Vec<u32> = counts.into_iter().filter(|count| *count > 0).collect();
            assert_eq!(used.len(), size, "{name}");
            assert!(used.iter().all(|count| *count == used[0]), "{name}");
        }
    }

    #[test]
    fn a_token_has_its_prefix_and_only_characters_of_its_charset() {
        for (name, _) in ALL {
            let charset = Charset::parse(name).unwrap();
            let token = Recipe::new(charset, 4096, "ghp_").unwrap().generate(&HeapMemory).unwrap();
            let (prefix, random) = token.expose().split_at(4);
            assert_eq!(prefix, b"ghp_");
            assert_eq!(random.len(), 4096);
            assert!(random.iter().all(|byte| charset.alphabet().contains(byte)), "{name}");
        }
    }

    #[test]
    fn two_tokens_differ() {
        let recipe = Recipe::new(Charset::default(), 32, "").unwrap();
        assert!(recipe.generate(&HeapMemory).unwrap().expose() != recipe.generate(&HeapMemory).unwrap().expose());
    }

    #[test]
    fn lengths_and_prefixes_out_of_bounds_are_refused() {
        for length in [0, LENGTH_MAX + 1, u32::MAX] {
            assert!(Recipe::new(Charset::Hex, length, "").is_err());
        }
        assert!(Recipe::new(Charset::Hex, 1, &"p".repeat(64)).is_ok());
        for prefix in ["p".repeat(65), "a b".into(), "a\n".into(), "é".into()] {
            assert!(Recipe::new(Charset::Hex, 1, &prefix).is_err());
        }
        assert!(Charset::parse("base58").is_err());
    }
}
