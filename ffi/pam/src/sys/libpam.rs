//! The few functions of libpam that are used here (`pam_get_item(3)`, `pam_set_data(3)`), and what makes them safe.
//!
//! Nothing that asks the user is among them: a question here would be one that the login program does not expect.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::{PhantomData, PhantomPinned};
use std::ptr;

use super::secret::{Password, SECRET_BYTES_MAX};

/// A PAM transaction.
#[repr(C)]
pub struct Handle {
    _private: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// What is called when data is replaced or the transaction ends.
type Cleanup = unsafe extern "C" fn(*mut Handle, *mut c_void, c_int);

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_get_item(handle: *const Handle, kind: c_int, item: *mut *const c_void) -> c_int;
    fn pam_set_data(handle: *mut Handle, name: *const c_char, data: *mut c_void, cleanup: Option<Cleanup>) -> c_int;
    fn pam_get_data(handle: *const Handle, name: *const c_char, data: *mut *const c_void) -> c_int;
}

const PAM_SUCCESS: c_int = 0;

/// An item of a transaction that is a string.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum Item {
    Service = 1,
    User = 2,
    Host = 4,
    Token = 6,
    OldToken = 7,
    AskingUser = 8,
}

impl Handle {
    /// The bytes of an item, without the zero byte; empty when it is not set.
    fn with_item<T>(&self, item: Item, use_it: impl FnOnce(&CStr) -> Option<T>) -> Option<T> {
        let mut value = ptr::null();
        // SAFETY: the handle lives, and libpam writes one pointer.
        let status = unsafe { pam_get_item(self, item as c_int, &raw mut value) };
        if status != PAM_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: these items are strings, and stay as they are until somebody sets them anew; nobody does meanwhile.
        use_it(unsafe { CStr::from_ptr(value.cast()) })
    }

    /// A copy of an item that is no secret.
    pub(crate) fn text(&self, item: Item) -> Option<CString> {
        self.with_item(item, |value| (!value.is_empty()).then(|| value.to_owned()))
    }

    /// A copy of a password. None that is empty, or longer than any that PAM takes.
    pub(crate) fn secret(&self, item: Item) -> Option<Password> {
        self.with_item(item, |value| {
            let bytes = value.to_bytes();
            (1..=SECRET_BYTES_MAX).contains(&bytes.len()).then(|| Password::copy(bytes)).flatten()
        })
    }

    /// Keeps `value` under `name` until the transaction ends, in the place of an earlier one; both are dropped in their time.
    ///
    /// One name always goes with one type.
    pub(crate) fn keep<T>(&mut self, name: &CStr, value: Option<T>) {
        let data = Box::into_raw(Box::new(value));
        // SAFETY: the handle lives; libpam gives the pointer to the cleanup function once, and that takes this type.
        let status = unsafe { pam_set_data(self, name.as_ptr(), data.cast(), Some(clean_up::<T>)) };
        if status != PAM_SUCCESS {
            // SAFETY: libpam did not take what was made above.
            drop(unsafe { Box::from_raw(data) });
        }
    }

    /// Takes out what is kept under `name`.
    pub(crate) fn take<T>(&mut self, name: &CStr) -> Option<T> {
        let mut data = ptr::null();
        // SAFETY: the handle lives, and libpam writes one pointer.
        let status = unsafe { pam_get_data(self, name.as_ptr(), &raw mut data) };
        let kept = data.cast_mut().cast::<Option<T>>();
        if status != PAM_SUCCESS {
            return None;
        }
        // SAFETY: NULL, or what `keep` made for this name with this type; libpam has it alone and does not look into it.
        unsafe { kept.as_mut() }.and_then(Option::take)
    }
}

/// Drops what [`Handle::keep`] made.
///
/// # Safety
/// Called by libpam, once, with what `keep` gave it.
unsafe extern "C" fn clean_up<T>(_handle: *mut Handle, data: *mut c_void, _status: c_int) {
    if data.is_null() {
        return;
    }
    // SAFETY: made by `Box::into_raw` with this type, and given here once.
    let kept = unsafe { Box::from_raw(data.cast::<Option<T>>()) };
    crate::boundary::guest(|| drop(kept));
}
