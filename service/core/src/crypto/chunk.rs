//! A large value, encrypted in chunks that only open together and in their order.
//!
//! Each chunk is a message of its own in the format of [`wrap`]: its key comes by HKDF from the key of the value, a
//! random salt, and where the chunk stands: in which vault and content, its number, and whether it is the last one. So a chunk
//! that is moved, doubled or taken from another value does not open, and neither does a value that was cut short or made
//! longer, as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
//! Misuse-Resistance", 2015). The size of the whole, and with it the number of chunks, is bound to the key of the value where
//! that is wrapped.
//!
//! Every chunk has [`CHUNK_BYTES`] before it is encrypted; the last one is filled up with zeros. What a copied store tells of a
//! value is the number of its chunks.

use crate::Secret;
use crate::crypto::{Aad, CryptoError, VaultId, wrap};
use crate::port::SecretMemory;

/// Bytes of a value in a chunk.
pub const CHUNK_BYTES: usize = 65_536;

/// Derives the key of a chunk.
const PURPOSE: &str = "chunk";

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The vault.
    pub vault: &'a VaultId,
    /// Number of the content.
    pub content: i64,
    /// Number of the chunk, from 0.
    pub number: u32,
    /// Whether it is the last one.
    pub is_last: bool,
}

impl Place<'_> {
    fn aad(&self) -> Aad {
        Aad::new("chunk").bytes(self.vault).i64(self.content).u64(u64::from(self.number)).u8(u8::from(self.is_last))
    }
}

/// Chunks of a value of so many bytes.
pub const fn count(size: u64) -> u64 {
    size.div_ceil(CHUNK_BYTES as u64)
}

/// Encrypts what stands at a place under the key of the value.
///
/// # Errors
/// [`CryptoError::TooLong`] for more than [`CHUNK_BYTES`]; [`CryptoError::KeyLength`], [`CryptoError::Random`],
/// [`CryptoError::Memory`].
pub fn seal(key: &Secret, place: &Place<'_>, part: &[u8], memory: &dyn SecretMemory) -> Result<Vec<u8>, CryptoError> {
    let aad = place.aad();
    if part.len() == CHUNK_BYTES {
        return wrap::seal(key, PURPOSE, aad.as_bytes(), part);
    }
    let mut filled = Secret::zeroed(memory, CHUNK_BYTES)?;
    filled.expose_mut().get_mut(..part.len()).ok_or(CryptoError::TooLong)?.copy_from_slice(part);
    wrap::seal(key, PURPOSE, aad.as_bytes(), filled.expose())
}

/// Decrypts a chunk that has `len` bytes of the value.
///
/// # Errors
/// As [`wrap::open`]; [`CryptoError::Padding`] when something else than zeros follows the value.
pub fn open(
    key: &Secret,
    place: &Place<'_>,
    len: usize,
    blob: &[u8],
    memory: &dyn SecretMemory,
) -> Result<Secret, CryptoError> {
    let filled = wrap::open(key, PURPOSE, place.aad().as_bytes(), blob, memory)?;
    let (part, zeros) = filled.expose().split_at_checked(len).ok_or(CryptoError::Padding)?;
    if filled.len() != CHUNK_BYTES || part.is_empty() || zeros.iter().fold(0, |any, byte| any | byte) != 0 {
        return Err(CryptoError::Padding);
    }
    Ok(filled.narrow(0..len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random;
    use crate::port::HeapMemory;

    const VAULT: VaultId = [7; 16];
    const PLACE: Place<'static> = Place { vault: &VAULT, content: 5, number: 3, is_last: false };

    fn key() -> Secret {
        random::secret(&HeapMemory, 32).unwrap()
    }

    #[test]
    fn a_part_of_any_length_comes_back_and_every_chunk_is_as_long_as_the_next() {
        let key = key();
        for len in [1, 2, CHUNK_BYTES - 1, CHUNK_BYTES] {
            let part: Vec<u8> = (0..len).map(|at| (at % 251) as u8 + 1).collect();
            let blob = seal(&key, &PLACE, &part, &HeapMemory).unwrap();
            assert_eq!(blob.len(), CHUNK_BYTES + wrap::OVERHEAD);
            assert!(open(&key, &PLACE, len, &blob, &HeapMemory).unwrap().expose() == part);
        }
    }

    #[test]
    fn a_chunk_opens_nowhere_but_where_it_stands() {
        let key = key();
        let blob = seal(&key, &PLACE, b"part", &HeapMemory).unwrap();
        for place in [
            Place { vault: &[8; 16], ..PLACE },
            Place { content: 6, ..PLACE },
            Place { number: 4, ..PLACE },
            Place { is_last: true, ..PLACE },
        ] {
            assert!(matches!(open(&key, &place, 4, &blob, &HeapMemory), Err(CryptoError::WrongKey)), "{place:?}");
        }
        assert!(matches!(open(&self::key(), &PLACE, 4, &blob, &HeapMemory), Err(CryptoError::WrongKey)));
        assert!(open(&key, &PLACE, 4, &blob, &HeapMemory).is_ok());
    }

    #[test]
    fn a_length_that_is_not_that_of_the_part_is_refused() {
        let key = key();
        let blob = seal(&key, &PLACE, b"part", &HeapMemory).unwrap();
        for len in [0, 3, CHUNK_BYTES + 1] {
            assert!(matches!(open(&key, &PLACE, len, &blob, &HeapMemory), Err(CryptoError::Padding)), "{len}");
        }
        assert!(matches!(seal(&key, &PLACE, &[1; CHUNK_BYTES + 1], &HeapMemory), Err(CryptoError::TooLong)));
    }

    #[test]
    fn chunks_are_counted_up() {
        let chunk = CHUNK_BYTES as u64;
        assert_eq!([0, 1, chunk, chunk + 1, 256 * chunk].map(count), [0, 1, 1, 2, 256]);
    }
}
