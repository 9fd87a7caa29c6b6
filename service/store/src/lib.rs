//! The SQLite store of the vault: rows in one file, read on snapshots, written by one thread.
//!
//! This crate knows files, SQL and durability. It sees ciphertexts, keyed tags, counters and dates, and does no
//! cryptography and no policy; nothing here tells one caller from another.
//!
//! Rules the files here keep:
//! - A write is acknowledged only after its commit returned; what was refused has left no trace.
//! - A file that is damaged, foreign or newer is reported and left exactly as it was found.
//! - Nothing waits without bound: the queue, a batch, the readers and the log all have a size.
#![forbid(unsafe_code)]

mod connection;
mod create;
mod directory;
mod fault;
mod identity;
mod migration;
mod options;
mod pool;
mod reserve;
mod row;
mod status;
mod store;
mod tally;
mod tx;
mod verify;
mod writer;

pub use migration::SCHEMA;
pub use options::StoreOptions;
pub use store::SqliteStore;
