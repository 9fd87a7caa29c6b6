//! What a version that is about to be stored holds.

use crate::Secret;
use crate::crypto::{chunk, pad, random, wrap};
use crate::error::Error;
use crate::port::{VersionHead, WriteTx};
use crate::token::metadata::{Records, VALUE};

/// A content that a version is to have.
pub(in crate::token) struct Content {
    /// Its number.
    pub id: i64,
    /// Bytes of the value.
    pub size: u64,
    /// The key of its chunks.
    pub dek: Secret,
    /// The version that had it before, if any, says of that key when it was drawn.
    pub had_by: Option<Option<u32>>,
}

/// A value, where it is.
pub(in crate::token) enum Body<'a> {
    /// In memory.
    Value(&'a Secret),
    /// In the store.
    Content(&'a Content),
}

/// What of a value goes into the row of a version.
pub(in crate::token) struct Row<'a> {
    /// The key it is encrypted with.
    pub dek: Key<'a>,
    /// Term of the machine key in which it was drawn; `None` for the first.
    pub dek_term: Option<u32>,
    /// The value, encrypted; empty where it lies in chunks.
    pub value: Vec<u8>,
    /// Bytes that were counted for it already.
    pub held: u64,
}

/// The key of a value: made for it, or there before.
pub(in crate::token) enum Key<'a> {
    New(Secret),
    Kept(&'a Secret),
}

impl Key<'_> {
    pub const fn secret(&self) -> &Secret {
        match self {
            Self::New(key) => key,
            Self::Kept(key) => key,
        }
    }
}

impl Body<'_> {
    /// Bytes of the value.
    pub fn size(&self) -> u64 {
        match self {
            Self::Value(value) => value.len() as u64,
            Self::Content(content) => content.size,
        }
    }

    /// Has the version of `head` hold it.
    pub fn place(
        &self,
        tx: &mut dyn WriteTx,
        records: &Records<'_>,
        head: &mut VersionHead,
        memory: &dyn crate::port::SecretMemory,
    ) -> Result<Row<'_>, Error> {
        // Of what comes in the key was not wrapped before either.
        let now = Some(records.principal.machine_key.newest_term()).filter(|term| *term > 1);
        match self {
            Self::Value(value) => {
                let dek = random::secret(memory, 32)?;
                let padded = pad::pad(value.expose(), memory)?;
                let aad = records.value_aad(head.token, head.version);
                let value = wrap::seal(&dek, VALUE, aad.as_bytes(), padded.expose())?;
                head.stored_bytes = padded.len() as u64;
                Ok(Row { dek: Key::New(dek), dek_term: now, value, held: 0 })
            }
            Self::Content(content) => {
                let (principal, held) = tx.use_content(content.id)?.ok_or_else(gone)?;
                if principal != records.principal.id {
                    return Err(gone());
                }
                head.content = Some(content.id);
                head.stored_bytes = chunk::count(content.size) * chunk::CHUNK_BYTES as u64;
                let dek_term = content.had_by.unwrap_or(now);
                Ok(Row { dek: Key::Kept(&content.dek), dek_term, value: Vec::new(), held })
            }
        }
    }
}

/// The principal of an upload was deleted while it came.
pub(super) fn gone() -> Error {
    Error::Unavailable("the tokens of its owner were deleted while the value came; put it again".into())
}
