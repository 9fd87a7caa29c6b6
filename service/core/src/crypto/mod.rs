//! The primitives and how they are composed: one file each.
//!
//! Nothing here knows what a token is. Keys come in as [`Secret`](crate::Secret), results that must stay secret go out as
//! one; what is left on the stack in between is wiped.

pub mod aad;
pub mod base62;
pub mod chunk;
pub mod crc32;
mod error;
pub mod hpke;
pub mod kdf;
pub mod mac;
pub mod pad;
pub mod random;
pub mod tag;
mod terms;
pub mod wrap;

pub use aad::Aad;
pub use error::CryptoError;
pub use terms::KeyTerms;

/// Identity of a vault: 16 random bytes made with it, part of everything that is bound to it.
pub type VaultId = [u8; 16];

/// Length of every symmetric key of the vault, bytes.
pub const KEY_BYTES: usize = 32;
