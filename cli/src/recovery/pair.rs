//! The X25519 key pair (RFC 7748) of a recovery slot. The daemon gets the public key; the private one stays with its owner.

use tokenvault_proto::{ErrorCode, WrittenKeyError, read_key, write_key, written_len};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret::SecretBytes;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Characters of a written key.
pub const CODE_BYTES: usize = written_len(KEY_BYTES);

/// The private key of a recovery slot. Wiped on drop; no `Debug`.
pub struct RecoveryKey(Zeroizing<[u8; KEY_BYTES]>);

impl RecoveryKey {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, Failure> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut()).map_err(|error| {
            Failure::new(ErrorCode::Unavailable, format_args!("no random numbers: {error}"), "try again")
        })?;
        Ok(Self(key))
    }

    /// The one that was written down.
    ///
    /// # Errors
    /// [`WrittenKeyError`], naming the groups that are wrong.
    pub fn from_code(text: &[u8]) -> Result<Self, WrittenKeyError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        read_key(text, key.as_mut()).map(|()| Self(key))
    }

    /// The writing of the key.
    pub fn code(&self) -> SecretBytes {
        let mut code = SecretBytes::with_capacity(CODE_BYTES);
        write_key(self.0.as_ref(), |letter| {
            // The buffer was made for exactly this many characters.
            let _ = code.push(letter);
        });
        code
    }

    /// What the daemon wraps the vault key to.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        PublicKey::from(&StaticSecret::from(*self.0)).to_bytes()
    }

    /// The private key, to be handed over when the vault is opened with it.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> [u8; KEY_BYTES] {
        std::array::from_fn(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
    }

    #[test]
    fn the_public_key_is_that_of_rfc_7748() {
        let private = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let public = unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_eq!(RecoveryKey(Zeroizing::new(private)).public(), public);
    }

    #[test]
    fn the_writing_leads_back_to_the_same_pair() {
        let key = RecoveryKey::generate().unwrap();
        let again = RecoveryKey::from_code(key.code().expose()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_ne!(RecoveryKey::generate().unwrap().public(), key.public());
    }
}
