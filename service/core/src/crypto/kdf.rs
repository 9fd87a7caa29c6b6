//! Keys from keys: HKDF-SHA256 (RFC 5869), without salt.
//!
//! `info = "tv1/derive/" label 0x00 context`. Labels are constants of this program without a zero byte, so that no label
//! and context can be mistaken for another pair.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::Secret;
use crate::crypto::{CryptoError, KEY_BYTES};
use crate::port::SecretMemory;

/// Derives a 32-byte key. `key` is a uniformly random key of at least 32 bytes, or begins with one.
///
/// # Errors
/// [`CryptoError::KeyLength`] when `key` is shorter, [`CryptoError::Memory`].
pub fn derive(key: &Secret, label: &str, context: &[u8], memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
    if key.len() < KEY_BYTES {
        return Err(CryptoError::KeyLength(key.len()));
    }
    let mut derived = Secret::zeroed(memory, KEY_BYTES)?;
    Hkdf::<Sha256>::new(None, key.expose())
        .expand_multi_info(&[b"tv1/derive/", label.as_bytes(), &[0], context], derived.expose_mut())
        .map_err(|_| CryptoError::TooLong)?;
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::HeapMemory;

    fn derived(key: &[u8], label: &str, context: &[u8]) -> Vec<u8> {
        let key = Secret::copy_from(&HeapMemory, key).unwrap();
        derive(&key, label, context, &HeapMemory).unwrap().expose().to_vec()
    }

    #[test]
    fn label_context_and_key_each_change_the_result() {
        let base = derived(&[1; 32], "a", b"bc");
        assert_eq!(base, derived(&[1; 32], "a", b"bc"));
        assert_ne!(base, derived(&[1; 32], "ab", b"c"));
        assert_ne!(base, derived(&[1; 32], "a", b"b"));
        assert_ne!(base, derived(&[2; 32], "a", b"bc"));
    }

    #[test]
    fn a_short_key_is_refused() {
        let key = Secret::copy_from(&HeapMemory, &[1; 31]).unwrap();
        assert_eq!(derive(&key, "a", b"", &HeapMemory).err(), Some(CryptoError::KeyLength(31)));
    }
}
