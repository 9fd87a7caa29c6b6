//! `tokenvault_list_options`.

use std::ffi::{c_char, c_int};
use std::mem::offset_of;

use tokenvault_client::ListOptions as ClientOptions;

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// Which tokens are listed.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct ListOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Only names that start with this.
    pub prefix: *const c_char,
    /// Whose tokens: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// Only tokens that carry all of these: key, value, key, value, ..., NULL.
    pub attributes: *const *const c_char,
    /// Only tokens that expire before this, microseconds since the epoch.
    pub expires_before_usec: u64,
    /// At most so many; 0: all.
    pub limit: u64,
    /// 1: what is shared with the caller, whoever owns it, instead of the caller's own; owner is NULL then.
    pub shared_with_me: c_int,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for ListOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, prefix),
        offset_of!(Self, owner),
        offset_of!(Self, attributes),
        offset_of!(Self, expires_before_usec),
        offset_of!(Self, limit),
        offset_of!(Self, shared_with_me),
        size_of::<Self>(),
    ];
}

impl ListOptions {
    /// The filter for `tokenvault_list_tokens`, and how many tokens it may give.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the list as for [`input::attributes`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<(ClientOptions, u64), Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        let filter = ClientOptions {
            // SAFETY: the caller's promise.
            prefix: unsafe { options::string("prefix", this.prefix) }?,
            // SAFETY: the caller's promise.
            attributes: unsafe { input::attributes(this.attributes) }?,
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            expires_before: options::number(this.expires_before_usec),
            shared_with_me: options::yes_or_no("shared_with_me", this.shared_with_me)?,
            ..ClientOptions::default()
        };
        Ok((filter, options::number(this.limit).unwrap_or(u64::MAX)))
    }
}
