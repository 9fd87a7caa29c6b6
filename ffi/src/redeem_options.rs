//! `tokenvault_redeem_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::RedeemOptions as ClientOptions;

use crate::failure::Failure;
use crate::options::{self, Options};

/// For what an offered value is fetched.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct RedeemOptions {
    /// sizeof this structure.
    pub size: usize,
    /// What the value is wanted for; written to the audit log.
    pub purpose: *const c_char,
    /// The program that asks; written to the audit log, grants nothing.
    pub app: *const c_char,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for RedeemOptions {
    const SIZES: &'static [usize] = &[offset_of!(Self, purpose), offset_of!(Self, app), size_of::<Self>()];
}

impl RedeemOptions {
    /// For `tokenvault_redeem`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            purpose: unsafe { options::string("purpose", this.purpose) }?,
            // SAFETY: the caller's promise.
            app: unsafe { options::string("app", this.app) }?,
        })
    }
}
