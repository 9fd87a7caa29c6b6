//! `tokenvault_delete_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::DeleteOptions as ClientOptions;

use crate::failure::Failure;
use crate::options::{self, Options};

/// What is deleted.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct DeleteOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// Only this version; 0: the token with all its versions.
    pub version: u64,
}

// SAFETY: repr(C), the size first, then a pointer and an integer.
unsafe impl Options for DeleteOptions {
    const SIZES: &'static [usize] = &[offset_of!(Self, owner), offset_of!(Self, version), size_of::<Self>()];
}

impl DeleteOptions {
    /// For `tokenvault_delete_with`.
    ///
    /// # Safety
    /// As for [`options::read`]; the string as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        // SAFETY: the caller's promise.
        let owner = unsafe { options::string("owner", this.owner) }?;
        Ok(ClientOptions { owner, version: options::number(this.version) })
    }
}
