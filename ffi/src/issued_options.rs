//! `tokenvault_issued_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::{IssuedOptions as ClientOptions, RevokeAllOptions};

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// Which of what was issued is meant; zero and NULL mean all.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct IssuedOptions {
    /// sizeof this structure.
    pub size: usize,
    /// `token`, `code`, `offer`.
    pub kind: *const c_char,
    /// About this subject.
    pub subject: *const c_char,
    /// For this audience.
    pub audience: *const c_char,
    /// Good for all of these: scope, scope, ..., NULL.
    pub scopes: *const *const c_char,
    /// At most so many are listed; 0: all. Not for tokenvault_revoke_all.
    pub limit: u64,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for IssuedOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, kind),
        offset_of!(Self, subject),
        offset_of!(Self, audience),
        offset_of!(Self, scopes),
        offset_of!(Self, limit),
        size_of::<Self>(),
    ];
}

impl IssuedOptions {
    /// For `tokenvault_list_issued`, with how many are wanted.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the lists as for [`input::texts`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<(ClientOptions, u64), Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        let filter = ClientOptions {
            // SAFETY: the caller's promise.
            kind: unsafe { options::string("kind", this.kind) }?,
            // SAFETY: the caller's promise.
            subject: unsafe { options::string("subject", this.subject) }?,
            // SAFETY: the caller's promise.
            audience: unsafe { options::string("audience", this.audience) }?,
            // SAFETY: the caller's promise.
            scopes: unsafe { input::texts("scopes", this.scopes) }?,
            ..ClientOptions::default()
        };
        Ok((filter, options::number(this.limit).unwrap_or(u64::MAX)))
    }

    /// For `tokenvault_revoke_all`.
    ///
    /// # Safety
    /// As for [`Self::read`].
    pub(crate) unsafe fn read_filter(pointer: *const Self) -> Result<RevokeAllOptions, Failure> {
        // SAFETY: the caller's promise.
        match unsafe { Self::read(pointer) }? {
            (filter, u64::MAX) => Ok(filter.filter()),
            _ => Err(Failure::invalid("limit is set; all that the filter means is revoked")),
        }
    }
}
