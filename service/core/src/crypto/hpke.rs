//! Encryption to a public key: HPKE base mode (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! `encapsulated key(32) | ciphertext | tag(16)`. The vault holds public keys only; private ones are made in the command
//! and seen here when they are typed back or used.

use hpke::aead::{AeadTag, AesGcm256};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable};

use crate::Secret;
use crate::crypto::{CryptoError, random};
use crate::port::SecretMemory;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Length of a public key, bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// How much longer a sealed message is than its plaintext, bytes.
pub const OVERHEAD: usize = PUBLIC_KEY_BYTES + TAG_BYTES;

/// The public key of a private one.
///
/// # Errors
/// [`CryptoError::KeyLength`] unless `private` has 32 bytes.
pub fn public_key(private: &Secret) -> Result<[u8; PUBLIC_KEY_BYTES], CryptoError> {
    Ok(X25519HkdfSha256::sk_to_pk(&private_key(private)?).to_bytes().into())
}

/// Encrypts `plaintext` so that only the holder of the private key can read it.
///
/// # Errors
/// [`CryptoError::PublicKey`], [`CryptoError::TooLong`], [`CryptoError::Random`].
pub fn seal(public: &[u8], info: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let public = canonical_public_key(public)?;
    // The library panics when the random source fails. One that answered once is initialised and answers from then on.
    random::array::<1>()?;
    let mut ciphertext = vec![0; plaintext.len()];
    let buffer = InOutBuf::new(plaintext, &mut ciphertext).map_err(|_| CryptoError::TooLong)?;
    let (encapped, tag) = hpke::single_shot_seal_inout_detached::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        info,
        buffer,
        aad,
    )
    .map_err(|error| match error {
        HpkeError::EncapError => CryptoError::PublicKey,
        _ => CryptoError::TooLong,
    })?;
    Ok([encapped.to_bytes().as_slice(), ciphertext.as_slice(), tag.to_bytes().as_slice()].concat())
}

/// Decrypts what [`seal`] made for this key, with the same `info` and `aad`.
///
/// # Errors
/// [`CryptoError::Truncated`]; [`CryptoError::Damaged`], also for another private key: HPKE cannot tell the two apart, the
/// caller can with [`public_key`]. [`CryptoError::KeyLength`], [`CryptoError::Memory`].
pub fn open(
    private: &Secret,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
    memory: &dyn SecretMemory,
) -> Result<Secret, CryptoError> {
    let (encapped, rest) = sealed.split_first_chunk::<PUBLIC_KEY_BYTES>().ok_or(CryptoError::Truncated)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(CryptoError::Truncated)?;
    let private = private_key(private)?;
    let encapped = EncappedKey::from_bytes(encapped).map_err(|_| CryptoError::Damaged)?;
    let tag = AeadTag::from_bytes(tag).map_err(|_| CryptoError::Damaged)?;
    let mut plaintext = Secret::zeroed(memory, ciphertext.len())?;
    let buffer = InOutBuf::new(ciphertext, plaintext.expose_mut()).map_err(|_| CryptoError::Truncated)?;
    hpke::single_shot_open_inout_detached::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapped,
        info,
        buffer,
        aad,
        &tag,
    )
    .map_err(|_| CryptoError::Damaged)?;
    Ok(plaintext)
}

fn private_key(private: &Secret) -> Result<PrivateKey, CryptoError> {
    PrivateKey::from_bytes(private.expose()).map_err(|_| CryptoError::KeyLength(private.len()))
}

/// Takes only the canonical encoding of a curve coordinate (below 2^255 - 19). X25519 itself accepts others, but HPKE
/// hashes the encoding: what is sealed to another one can never be opened, because the private key gives the canonical.
fn canonical_public_key(public: &[u8]) -> Result<PublicKey, CryptoError> {
    let (low, high) = public.split_first().ok_or(CryptoError::PublicKey)?;
    let (last, middle) = high.split_last().ok_or(CryptoError::PublicKey)?;
    let over_prime = *last == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *low >= 0xed;
    if *last > 0x7f || over_prime {
        return Err(CryptoError::PublicKey);
    }
    PublicKey::from_bytes(public).map_err(|_| CryptoError::PublicKey)
}
