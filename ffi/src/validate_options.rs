//! `tokenvault_validate_options`.

use std::ffi::{c_char, c_int};
use std::mem::offset_of;

use tokenvault_client::ValidateOptions as ClientOptions;

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// What a token must be.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct ValidateOptions {
    /// sizeof this structure.
    pub size: usize,
    /// The id of a code, which is nothing without it.
    pub id: *const c_char,
    /// It must be for this audience.
    pub audience: *const c_char,
    /// It must be good for all of these: scope, scope, ..., NULL.
    pub scopes: *const *const c_char,
    /// 1: takes one of its uses; of many who want the last one, one gets it.
    pub consume: c_int,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for ValidateOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, id),
        offset_of!(Self, audience),
        offset_of!(Self, scopes),
        offset_of!(Self, consume),
        size_of::<Self>(),
    ];
}

impl ValidateOptions {
    /// For `tokenvault_validate`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the lists as for [`input::texts`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            id: unsafe { options::string("id", this.id) }?,
            // SAFETY: the caller's promise.
            audience: unsafe { options::string("audience", this.audience) }?,
            // SAFETY: the caller's promise.
            scopes: unsafe { input::texts("scopes", this.scopes) }?,
            consume: options::yes_or_no("consume", this.consume)?,
        })
    }
}
