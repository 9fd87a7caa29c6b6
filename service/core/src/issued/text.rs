//! What issued tokens look like: `tvt_<22 base62: 128-bit id>_<43 base62: 256-bit secret><6 base62: CRC32>`.
//!
//! Scanners for secrets find them by their beginning and know them by their checksum, which is over everything before it and
//! is looked at before anything is looked up. The id is no secret: it names the token in lists and in the audit log.

use zeroize::Zeroizing;

use crate::crypto::{CryptoError, base62, crc32, random};

/// How every token begins.
pub const PREFIX: &str = "tvt_";
/// Characters of a token.
pub const TOKEN_CHARS: usize = SECRET_AT + SECRET_CHARS + CHECKSUM_CHARS;
/// Characters of an id.
pub const ID_CHARS: usize = 22;

const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// Where the secret begins: behind the prefix, the id, and what separates them.
const SECRET_AT: usize = PREFIX.len() + ID_CHARS + 1;
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// Names an issued token or code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IssuedId([u8; ID_BYTES]);

impl IssuedId {
    /// An id nothing has.
    ///
    /// # Errors
    /// [`CryptoError::Random`].
    pub fn random() -> Result<Self, CryptoError> {
        random::array().map(Self)
    }

    /// From its text; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let id = base62::decode::<ID_BYTES>(text.as_bytes()).filter(|_| text.len() == ID_CHARS)?;
        Some(Self(*id))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

/// Its text.
impl std::fmt::Display for IssuedId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = [0; ID_CHARS];
        base62::encode(&self.0, &mut text);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The secret half of a token.
pub type TokenSecret = Zeroizing<[u8; SECRET_BYTES]>;

/// A secret nobody has.
///
/// # Errors
/// [`CryptoError::Random`].
pub fn random_secret() -> Result<TokenSecret, CryptoError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    random::fill(secret.as_mut_slice())?;
    Ok(secret)
}

/// The token of an id and a secret.
pub fn write(id: IssuedId, secret: &TokenSecret) -> Zeroizing<String> {
    let mut tail = Zeroizing::new([0; SECRET_CHARS + CHECKSUM_CHARS]);
    let (digits, checksum) = tail.split_at_mut(SECRET_CHARS);
    base62::encode(secret.as_slice(), digits);
    let mut token = Zeroizing::new(String::with_capacity(TOKEN_CHARS));
    token.push_str(PREFIX);
    token.push_str(&id.to_string());
    token.push('_');
    token.push_str(std::str::from_utf8(digits).unwrap_or_default());
    base62::encode(&crc32::checksum(token.as_bytes()).to_be_bytes(), checksum);
    token.push_str(std::str::from_utf8(checksum).unwrap_or_default());
    token
}

/// Id and secret of a token; `None` for what is none, by its shape or its checksum.
pub fn read(token: &str) -> Option<(IssuedId, TokenSecret)> {
    let (checked, checksum) = token.split_at_checked(SECRET_AT + SECRET_CHARS)?;
    if checksum.len() != CHECKSUM_CHARS {
        return None;
    }
    let sum = base62::decode::<4>(checksum.as_bytes())?;
    if crc32::checksum(checked.as_bytes()).to_be_bytes() != *sum {
        return None;
    }
    let (id, secret) = checked.strip_prefix(PREFIX)?.split_at_checked(ID_CHARS)?;
    Some((IssuedId::parse(id)?, base62::decode(secret.strip_prefix('_')?.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for _ in 0..200 {
            let (id, secret) = (IssuedId::random().unwrap(), random_secret().unwrap());
            let token = write(id, &secret);
            assert_eq!(token.len(), TOKEN_CHARS);
            let (again, same) = read(&token).unwrap();
            assert!(again == id && same == secret);
            assert_eq!(IssuedId::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn every_changed_left_out_and_added_character_is_noticed() {
        let token = write(IssuedId::random().unwrap(), &random_secret().unwrap());
        for at in 0..token.len() {
            for other in ["0", "z", "_", "-", " ", ""] {
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert_eq!(read(&changed).is_some(), changed == *token, "{at} {other:?}");
            }
            assert!(read(&token[..at]).is_none());
        }
        for longer in [format!("{}0", *token), format!(" {}", *token), format!("{}\n", *token)] {
            assert!(read(&longer).is_none());
        }
    }
}
