//! `tokenvault_get_options`.

use std::ffi::c_char;
use std::mem::offset_of;

use tokenvault_client::{DescribeOptions, GetOptions as ClientOptions};

use crate::failure::Failure;
use crate::options::{self, Options};

/// Which token is meant, and what for.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct GetOptions {
    /// sizeof this structure.
    pub size: usize,
    /// Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
    pub owner: *const c_char,
    /// What the value is wanted for; written to the audit log.
    pub purpose: *const c_char,
    /// The program that asks; written to the audit log, grants nothing.
    pub app: *const c_char,
    /// This version instead of the current one; 0: the current one.
    pub version: u64,
}

// SAFETY: repr(C), the size first, then pointers and integers.
unsafe impl Options for GetOptions {
    const SIZES: &'static [usize] = &[
        offset_of!(Self, owner),
        offset_of!(Self, purpose),
        offset_of!(Self, app),
        offset_of!(Self, version),
        size_of::<Self>(),
    ];
}

impl GetOptions {
    /// For `tokenvault_get`.
    ///
    /// # Safety
    /// As for [`options::read`]; the strings as for [`options::string`].
    pub(crate) unsafe fn read(pointer: *const Self) -> Result<ClientOptions, Failure> {
        // SAFETY: the caller's promise.
        let this = unsafe { options::read(pointer) }?;
        Ok(ClientOptions {
            // SAFETY: the caller's promise.
            owner: unsafe { options::string("owner", this.owner) }?,
            version: options::number(this.version),
            // SAFETY: the caller's promise.
            purpose: unsafe { options::string("purpose", this.purpose) }?,
            // SAFETY: the caller's promise.
            app: unsafe { options::string("app", this.app) }?,
        })
    }

    /// For `tokenvault_describe`, which gives no value away: a purpose and a program are of no use to it.
    ///
    /// # Safety
    /// As for [`GetOptions::read`].
    pub(crate) unsafe fn read_for_describe(pointer: *const Self) -> Result<DescribeOptions, Failure> {
        // SAFETY: the caller's promise.
        let options = unsafe { Self::read(pointer) }?;
        if options.version.is_some() {
            return Err(Failure::invalid("tokenvault_describe tells of the current version; leave version zero"));
        }
        Ok(DescribeOptions { owner: options.owner })
    }
}
