//! `tokenvault_issue_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::IssueOptions as ClientOptions;

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// What is issued.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct IssueOptions {
    /// sizeof this structure.
    pub size: usize,
    /// `token` (default), `code`.
    pub kind: *const c_char,
    /// About whom or what it says something.
    pub subject: *const c_char,
    /// For whom it is: `user:NAME` or `group:NAME`, who may have it validated, or any other text.
    pub audience: *const c_char,
    /// What it is good for: scope, scope, ..., NULL.
    pub scopes: *const *const c_char,
    /// What else it says: key, value, key, value, ..., NULL.
    pub claims: *const *const c_char,
    /// Microseconds until it expires; 0: an hour.
    pub ttl_usec: u64,
    /// How often it may be used; 0: as often as somebody looks, and once by who takes a use.
    pub uses: u32,
    /// Digits of a code, 4 to 32; 0: 6.
    pub length: u32,
    /// How many wrong codes may be tried, at most 100; 0: 5.
    pub attempts: u32,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for IssueOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, kind),
        offset_of!(Self, subject),
        offset_of!(Self, audience),
        offset_of!(Self, scopes),
        offset_of!(Self, claims),
        offset_of!(Self, ttl_usec),
        offset_of!(Self, uses),
        offset_of!(Self, length),
        offset_of!(Self, attempts),
        size_of::<Self>(),
    ];
}

impl IssueOptions {
    /// For `tokenvault_issue`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the lists as for [`input::texts`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            kind: unsafe { options::string("kind", this.kind) }?,
            length: options::number(this.length),
            attempts: options::number(this.attempts),
            // SAFETY: the caller's promise.
            subject: unsafe { options::string("subject", this.subject) }?,
            // SAFETY: the caller's promise.
            audience: unsafe { options::string("audience", this.audience) }?,
            // SAFETY: the caller's promise.
            scopes: unsafe { input::texts("scopes", this.scopes) }?,
            ttl: options::number(this.ttl_usec),
            uses: options::number(this.uses),
            // SAFETY: the caller's promise.
            claims: unsafe { input::attributes(this.claims) }?,
        })
    }
}
