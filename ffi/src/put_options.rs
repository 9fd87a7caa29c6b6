//! `tokenvault_put_options`.

use std::ffi::{c_char, c_int};
use std::mem::offset_of;

use tokenvault_client::PutOptions as ClientOptions;

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// How a token is stored.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct PutOptions {
    /// sizeof this structure.
    pub size: usize,
    /// `upsert` (default), `create`, `replace`.
    pub mode: *const c_char,
    /// `machine` (default), `login`.
    pub class_: *const c_char,
    /// Media type of the value; NULL: that of the version before, "": none.
    pub content_type: *const c_char,
    /// Microseconds until the new version expires; 0, with expires_usec 0 too: never. When the newest version of a token
    /// expires, the token is gone, with its older versions.
    pub ttl_usec: u64,
    /// The write happens only when the current version has this number; 0: whichever it has.
    pub expect_version: u64,
    /// key, value, key, value, ..., NULL. They replace those of the token; no list at all leaves them.
    pub attributes: *const *const c_char,
    /// Whose token: `user:NAME` or `uid:N`, where it is shared with the caller for writing; `machine`, the system's own, kept by
    /// uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// When the new version expires, microseconds since the epoch; instead of ttl_usec.
    pub expires_usec: u64,
    /// How many versions are kept, the current one included, 1 to 1000; 0: as before, for a new token 10.
    pub keep_versions: u32,
    /// Whether tokenvault_get must name a purpose, and is refused with TOKENVAULT_ERROR_ACCESS_DENIED else: 1 yes, -1 no, 0 as
    /// before.
    pub require_purpose: c_int,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for PutOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, mode),
        offset_of!(Self, class_),
        offset_of!(Self, content_type),
        offset_of!(Self, ttl_usec),
        offset_of!(Self, expect_version),
        offset_of!(Self, attributes),
        offset_of!(Self, owner),
        offset_of!(Self, expires_usec),
        offset_of!(Self, keep_versions),
        offset_of!(Self, require_purpose),
        size_of::<Self>(),
    ];
}

impl PutOptions {
    /// For `tokenvault_put`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the list as for [`input::attributes`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            mode: unsafe { options::string("mode", this.mode) }?,
            expect_version: options::number(this.expect_version),
            // SAFETY: the caller's promise.
            class: unsafe { options::string("class_", this.class_) }?,
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            // SAFETY: the caller's promise.
            content_type: unsafe { options::string("content_type", this.content_type) }?,
            // SAFETY: the caller's promise.
            attributes: unsafe { input::attributes(this.attributes) }?,
            ttl: options::number(this.ttl_usec),
            expires: options::number(this.expires_usec),
            keep_versions: options::number(this.keep_versions),
            require_purpose: options::yes_or_no("require_purpose", this.require_purpose)?,
            // The client knows what it is given.
            size: None,
        })
    }
}
