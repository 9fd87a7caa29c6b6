//! `tokenvault_annotate_options`.

use std::ffi::{c_char, c_int};
use std::mem::offset_of;

use tokenvault_client::AnnotateOptions as ClientOptions;

use crate::failure::Failure;
use crate::input;
use crate::options::{self, Options};

/// What is changed about a token; what is NULL or 0 stays as it is.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct AnnotateOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// key, value, key, value, ..., NULL. They replace those of the token.
    pub attributes: *const *const c_char,
    /// Media type of the value; "": none.
    pub content_type: *const c_char,
    /// When the current version expires, microseconds since the epoch; UINT64_MAX: never.
    pub expires_usec: u64,
    /// How many versions are kept, the current one included, 1 to 1000; older ones go at once. 0: as before.
    pub keep_versions: u32,
    /// Whether tokenvault_get must name a purpose: 1 yes, -1 no.
    pub require_purpose: c_int,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for AnnotateOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, owner),
        offset_of!(Self, attributes),
        offset_of!(Self, content_type),
        offset_of!(Self, expires_usec),
        offset_of!(Self, keep_versions),
        offset_of!(Self, require_purpose),
        size_of::<Self>(),
    ];
}

impl AnnotateOptions {
    /// For `tokenvault_annotate`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`], the list as for [`input::attributes`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            // SAFETY: the caller's promise.
            attributes: unsafe { input::attributes(this.attributes) }?,
            // On the wire 0 is never; in an option of C, 0 is what nobody set.
            expires: options::number(this.expires_usec).map(|time| if time == u64::MAX { 0 } else { time }),
            // SAFETY: the caller's promise.
            content_type: unsafe { options::string("content_type", this.content_type) }?,
            keep_versions: options::number(this.keep_versions),
            require_purpose: options::yes_or_no("require_purpose", this.require_purpose)?,
        })
    }
}
