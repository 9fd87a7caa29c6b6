//! `tokenvault_share_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::ShareOptions as ClientOptions;

use crate::failure::Failure;
use crate::options::{self, Options};

/// How a token is shared.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct ShareOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// `read` (default), `write`, which a unit cannot have.
    pub permission: *const c_char,
    /// When the share ends, microseconds since the epoch; 0: with the token.
    pub expires_usec: u64,
    /// How often it may be used; 0: without a limit.
    pub uses: u32,
    /// A few words for the grantee, at most 1024 bytes without control characters.
    pub note: *const c_char,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for ShareOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, owner),
        offset_of!(Self, permission),
        offset_of!(Self, expires_usec),
        offset_of!(Self, uses),
        offset_of!(Self, note),
        size_of::<Self>(),
    ];
}

impl ShareOptions {
    /// For `tokenvault_share`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            // SAFETY: the caller's promise.
            permission: unsafe { options::string("permission", this.permission) }?,
            expires: options::number(this.expires_usec),
            uses: options::number(this.uses),
            // SAFETY: the caller's promise.
            note: unsafe { options::string("note", this.note) }?,
        })
    }
}
