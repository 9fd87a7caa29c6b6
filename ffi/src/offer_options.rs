//! `tokenvault_offer_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::OfferOptions as ClientOptions;

use crate::failure::Failure;
use crate::options::{self, Options};

/// How a token is offered.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct OfferOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// Microseconds until the offer ends; 0: a quarter of an hour.
    pub ttl_usec: u64,
    /// How many wrong codes may be tried, at most 100; 0: 5.
    pub attempts: u32,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for OfferOptions {
    const SIZES: &'static [usize] =
        &[offset_of!(Self, owner), offset_of!(Self, ttl_usec), offset_of!(Self, attempts), size_of::<Self>()];
}

impl OfferOptions {
    /// For `tokenvault_offer`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            ttl: options::number(this.ttl_usec),
            attempts: options::number(this.attempts),
        })
    }
}
