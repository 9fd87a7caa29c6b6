//! The one format in which anything lies encrypted in the store.
//!
//! ```text
//! format(1) = 1 | salt(32) | commitment(32) | ciphertext | tag(16)
//! HKDF-SHA256(key, salt, "tv1/" purpose SHA256(aad)) -> message key(32) | commitment(32)
//! AES-256-GCM(message key, nonce 0, aad, plaintext) -> ciphertext | tag
//! ```
//! The salt is random, so a message key is used for one message and the nonce can be constant. The commitment makes the
//! format key-committing, which GCM alone is not: it is compared, in constant time, before anything is decrypted, and
//! tells "not yours" from "damaged". A change of salt or commitment reads as the former.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Secret;
use crate::crypto::{CryptoError, KEY_BYTES, mac, random};
use crate::port::SecretMemory;

const FORMAT: u8 = 1;
const SALT_BYTES: usize = 32;
const COMMITMENT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const NONCE: [u8; 12] = [0; 12];

/// How much longer a sealed message is than its plaintext, bytes.
pub const OVERHEAD: usize = 1 + SALT_BYTES + COMMITMENT_BYTES + TAG_BYTES;

/// Encrypts `plaintext` under `key` for one purpose and one place. The plaintext is read where it lies, never copied.
///
/// # Errors
/// [`CryptoError::KeyLength`], [`CryptoError::TooLong`], [`CryptoError::Random`].
pub fn seal(key: &Secret, purpose: &str, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let salt = random::array::<SALT_BYTES>()?;
    let keys = MessageKeys::derive(key, &salt, purpose, aad)?;
    let mut blob = Vec::with_capacity(OVERHEAD.saturating_add(plaintext.len()));
    blob.push(FORMAT);
    blob.extend_from_slice(&salt);
    blob.extend_from_slice(keys.commitment());
    let header = blob.len();
    blob.resize(header.saturating_add(plaintext.len()), 0);
    let ciphertext = blob.get_mut(header..).unwrap_or_default();
    let buffer = InOutBuf::new(plaintext, ciphertext).map_err(|_| CryptoError::TooLong)?;
    let tag =
        cipher(keys.message())?.encrypt_inout_detached(&NONCE.into(), aad, buffer).map_err(|_| CryptoError::TooLong)?;
    blob.extend_from_slice(&tag);
    Ok(blob)
}

/// Decrypts into secret memory: keys and values.
///
/// # Errors
/// [`CryptoError::Truncated`], [`CryptoError::UnknownFormat`], [`CryptoError::WrongKey`], [`CryptoError::Damaged`];
/// [`CryptoError::KeyLength`], [`CryptoError::Memory`].
pub fn open(
    key: &Secret,
    purpose: &str,
    aad: &[u8],
    blob: &[u8],
    memory: &dyn SecretMemory,
) -> Result<Secret, CryptoError> {
    let sealed = Sealed::parse(blob)?;
    let mut plaintext = Secret::zeroed(memory, sealed.ciphertext.len())?;
    sealed.decrypt(key, purpose, aad, plaintext.expose_mut())?;
    Ok(plaintext)
}

/// The key of one message, once the message has shown that it was encrypted with `key` for this purpose and place: with it
/// the message is opened again for less, by [`open_again`].
///
/// # Errors
/// As [`open`], but damage is found only when it is opened.
pub fn message_key(
    key: &Secret,
    purpose: &str,
    aad: &[u8],
    blob: &[u8],
    memory: &dyn SecretMemory,
) -> Result<Secret, CryptoError> {
    let keys = Sealed::parse(blob)?.keys(key, purpose, aad)?;
    Ok(Secret::copy_from(memory, keys.message())?)
}

/// Decrypts a message with its own key into secret memory.
///
/// # Errors
/// [`CryptoError::Truncated`], [`CryptoError::UnknownFormat`], [`CryptoError::Damaged`], also with the key of another message;
/// [`CryptoError::KeyLength`], [`CryptoError::Memory`].
pub fn open_again(key: &Secret, aad: &[u8], blob: &[u8], memory: &dyn SecretMemory) -> Result<Secret, CryptoError> {
    let sealed = Sealed::parse(blob)?;
    let mut plaintext = Secret::zeroed(memory, sealed.ciphertext.len())?;
    sealed.decrypt_with(&cipher(key.expose())?, aad, plaintext.expose_mut())?;
    Ok(plaintext)
}

/// Decrypts into ordinary memory that is wiped when dropped: metadata.
///
/// # Errors
/// As [`open`], without [`CryptoError::Memory`].
pub fn open_record(key: &Secret, purpose: &str, aad: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let sealed = Sealed::parse(blob)?;
    let mut plaintext = Zeroizing::new(vec![0; sealed.ciphertext.len()]);
    sealed.decrypt(key, purpose, aad, &mut plaintext)?;
    Ok(plaintext)
}

/// Whether `key` has sealed it, as far as its commitment tells: nothing is decrypted.
///
/// # Errors
/// [`CryptoError::Truncated`], [`CryptoError::UnknownFormat`], [`CryptoError::KeyLength`].
pub fn is_sealed_with(key: &Secret, purpose: &str, aad: &[u8], blob: &[u8]) -> Result<bool, CryptoError> {
    match Sealed::parse(blob)?.keys(key, purpose, aad) {
        Ok(_) => Ok(true),
        Err(CryptoError::WrongKey) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A sealed message, taken apart.
struct Sealed<'a> {
    salt: &'a [u8; SALT_BYTES],
    commitment: &'a [u8; COMMITMENT_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Sealed<'a> {
    fn parse(blob: &'a [u8]) -> Result<Self, CryptoError> {
        let (&format, rest) = blob.split_first().ok_or(CryptoError::Truncated)?;
        if format != FORMAT {
            return Err(CryptoError::UnknownFormat(format));
        }
        let (salt, rest) = rest.split_first_chunk().ok_or(CryptoError::Truncated)?;
        let (commitment, rest) = rest.split_first_chunk().ok_or(CryptoError::Truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(CryptoError::Truncated)?;
        Ok(Self { salt, commitment, ciphertext, tag })
    }

    /// Writes the plaintext to `out`, which has the length of the ciphertext. Nothing is written unless all is authentic.
    fn decrypt(&self, key: &Secret, purpose: &str, aad: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        self.decrypt_with(&cipher(self.keys(key, purpose, aad)?.message())?, aad, out)
    }

    /// The keys of the message, if they are derived from `key`.
    fn keys(&self, key: &Secret, purpose: &str, aad: &[u8]) -> Result<MessageKeys, CryptoError> {
        let keys = MessageKeys::derive(key, self.salt, purpose, aad)?;
        if mac::equal(keys.commitment(), self.commitment) { Ok(keys) } else { Err(CryptoError::WrongKey) }
    }

    fn decrypt_with(&self, cipher: &Aes256Gcm, aad: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        let buffer = InOutBuf::new(self.ciphertext, out).map_err(|_| CryptoError::Truncated)?;
        cipher
            .decrypt_inout_detached(&Nonce::from(NONCE), aad, buffer, &Tag::from(*self.tag))
            .map_err(|_| CryptoError::Damaged)
    }
}

/// What HKDF gives for one message: its key, then the commitment to it.
struct MessageKeys(Zeroizing<[u8; KEY_BYTES + COMMITMENT_BYTES]>);

impl MessageKeys {
    fn derive(key: &Secret, salt: &[u8; SALT_BYTES], purpose: &str, aad: &[u8]) -> Result<Self, CryptoError> {
        if key.len() != KEY_BYTES {
            return Err(CryptoError::KeyLength(key.len()));
        }
        let mut keys = Zeroizing::new([0; KEY_BYTES + COMMITMENT_BYTES]);
        Hkdf::<Sha256>::new(Some(salt), key.expose())
            .expand_multi_info(&[b"tv1/", purpose.as_bytes(), &Sha256::digest(aad)], keys.as_mut_slice())
            .map_err(|_| CryptoError::TooLong)?;
        Ok(Self(keys))
    }

    fn message(&self) -> &[u8] {
        self.0.split_at(KEY_BYTES).0
    }

    fn commitment(&self) -> &[u8] {
        self.0.split_at(KEY_BYTES).1
    }
}

fn cipher(key: &[u8]) -> Result<Aes256Gcm, CryptoError> {
    Aes256Gcm::new_from_slice(key).map_err(|_| CryptoError::KeyLength(key.len()))
}
