//! `tokenvault_token_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::DescribeOptions as ClientOptions;

use crate::failure::Failure;
use crate::options::{self, Options};

/// Which token is meant.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct TokenOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
}

// SAFETY: repr(C), the size first, then a pointer.
unsafe impl Options for TokenOptions {
    const SIZES: &'static [usize] = &[offset_of!(Self, owner), size_of::<Self>()];
}

impl TokenOptions {
    /// For the calls that only need to know which token is meant.
    ///
    /// # Safety
    /// As for [`options::read`]; the string as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        // SAFETY: the caller's promise.
        Ok(ClientOptions { owner: unsafe { options::string("owner", this.owner) }? })
    }
}
