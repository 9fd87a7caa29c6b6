//! Attachments: values that are too long to lie in a row, kept in chunks.
//!
//! A value comes in chunk by chunk and lies in the store, encrypted, before any version has it: that is the `content`. One
//! transaction then makes the version, so that it is there whole or not at all, and other writers wait for no more than a few
//! chunks. What nobody finishes is removed: by who gave up, or when the store is opened again.
//!
//! Versions of one token share a content where one was made from the other by `Rollback`: each has the key, wrapped for itself.
//! A content is read chunk by chunk as well, each on a snapshot of its own. A reader gets all of it, or finds an end before its
//! size when the last version that has it is deleted meanwhile.

mod body;
mod read;
mod upload;

pub(super) use body::{Body, Content};
pub(super) use read::Stored;
pub use read::{Attachment, OpenedValue};
pub use upload::{SealedChunk, Upload};
