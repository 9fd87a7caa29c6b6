//! Attachments: values that are too long to lie in a row, kept in chunks.
//!
//! A value comes in chunk by chunk and lies in the store, encrypted, before any version has it: that is the `content`. One
//! transaction then makes the version, so that it is there whole or not at all, and other writers wait for no more than a few
//! chunks. What nobody finishes is removed: by who gave up, or when the store is opened again.
//!
//! Versions of one token share a content where one was made from the other by `Rollback`: each has the key, wrapped for itself,
//! and each counts against the quota with all of it, so that what is freed does not depend on which of them goes first.
//!
//! A content is read chunk by chunk as well, each on a snapshot of its own. A reader gets all of it, or finds an end before its
//! size: when the last version that has it is deleted meanwhile, the vault sealed, its owner logged out of class `login`, or one
//! of the two disabled. A share that ends takes nothing from who has begun to read.

mod body;
mod read;
mod upload;
mod writer;

pub(super) use body::{Body, Content};
pub(super) use read::Stored;
pub use read::{Attachment, OpenedValue};
pub use upload::{SealedChunk, Upload};
