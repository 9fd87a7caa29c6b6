//! The stream a backup is: rows as they stand in the store, for whoever has a recovery key.
//!
//! ```text
//! magic(15) | format(1) = 1 | length(4) | header (CBOR) | chunk | chunk | ... | last chunk
//! chunk = kind(1) | length(4) | ciphertext
//! ```
//! Numbers are big-endian. The header is in the clear: whose backup it is, when it was made, and a fresh random key, encrypted to each
//! recovery key with [`hpke`](crate::crypto::hpke). Under that key every chunk is a message of [`wrap`](crate::crypto::wrap), bound to
//! the hash of everything before the first chunk, to its number and to whether it is the last one, as in STREAM (Hoang, Reyhanitabar,
//! Rogaway, Vizár, 2015): a stream that was cut off, reordered, doubled, mixed with another or changed does not open, and where is
//! known by the number of the chunk. Every chunk but the last has 64 KiB of plaintext.
//!
//! The chunks make up one text of items, each a length(4) and CBOR: for each table its name and columns, then its rows; at the end how
//! many rows each table has, the SHA-256 of all items before, and a MAC by a key of the vault over that and the header. Anybody can
//! encrypt to a public key, and make a vault of his own for it, so that the MAC by itself says only that all of it is of one vault. That it
//! is the one whose recovery key this is says the voucher that the vault keeps since it was shown the private key, see
//! [`voucher`](crate::slot::voucher): who knows the public key alone can make none. Nobody vouches for a backup from before that.
//!
//! Rows are encrypted and tagged under the vault's own keys already; what is added here hides their number, sizes and dates. Slots that
//! are of use only on the machine the backup was made on are left out, and with them what vouches for the slots and for the rows as
//! a whole: both are made anew where the backup is restored.

mod carried;
mod chunk;
mod error;
mod header;
mod item;
mod look;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use carried::{Carried, Opened, vouching_key};
pub use error::BackupError;
pub use header::{Header, Recipient};
pub use look::{Outline, outline};
pub use read::{BackupReader, RowTaker, Summary};
pub use write::{BackupKeys, BackupWriter};

/// Every backup begins so. The first byte is no text, and the line ends do not survive where files are taken for text.
pub const MAGIC: &[u8; 15] = b"\x89tokenvault\r\n\x1a\n";
/// The format written here.
pub const FORMAT: u8 = 1;

/// Longest header: there is room for some hundred recovery keys.
const HEADER_MAX: usize = 64 << 10;
/// Plaintext of a chunk.
const CHUNK_BYTES: usize = 64 << 10;
/// Longest item: a row with the longest value there is, padded, and room for what stands beside it.
const ITEM_MAX: usize = 20 << 20;
