//! `tokenvault_value`: a token, with or without its value.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use tokenvault_client::{ErrorCode, TokenInfo, Value as Fetched};

use crate::boundary::answer;
use crate::failure::Failure;

/// A token. What its functions give out lives as long as it does.
pub struct Value {
    /// Wiped when it goes.
    fetched: Option<Fetched>,
    version: u64,
    expires: Option<u64>,
    attributes: BTreeMap<CString, CString>,
}

impl Value {
    pub(crate) fn with_data(fetched: Fetched) -> Result<Self, Failure> {
        let value = Self::without_data(fetched.info())?;
        Ok(Self { fetched: Some(fetched), ..value })
    }

    pub(crate) fn without_data(info: &TokenInfo) -> Result<Self, Failure> {
        let mut attributes = BTreeMap::new();
        for (key, value) in &info.attributes {
            attributes.insert(c_string(key)?, c_string(value)?);
        }
        Ok(Self { fetched: None, version: info.version, expires: info.expires, attributes })
    }
}

/// Text of the daemon for C.
pub(crate) fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::new(ErrorCode::Failed, "the daemon sent a text with a zero byte in it"))
}

/// The value's bytes; no zero byte follows them. NULL when there is no value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_data(value: *const Value) -> *const c_void {
    // SAFETY: NULL or a value that was not freed.
    let value = unsafe { value.as_ref() };
    answer(ptr::null(), || {
        let fetched = value.and_then(|value| value.fetched.as_ref());
        fetched.map_or(ptr::null(), |fetched| fetched.data().as_ptr().cast())
    })
}

/// How many bytes the value has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_len(value: *const Value) -> usize {
    // SAFETY: NULL or a value that was not freed.
    let value = unsafe { value.as_ref() };
    answer(0, || value.and_then(|value| value.fetched.as_ref()).map_or(0, |fetched| fetched.data().len()))
}

/// The number of the version, from 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_version(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    let value = unsafe { value.as_ref() };
    answer(0, || value.map_or(0, |value| value.version))
}

/// When the version expires, microseconds since the epoch; 0: never.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_expires(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    let value = unsafe { value.as_ref() };
    answer(0, || value.and_then(|value| value.expires).unwrap_or(0))
}

/// One attribute; NULL when the token does not carry it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attribute(value: *const Value, key: *const c_char) -> *const c_char {
    if key.is_null() {
        return ptr::null();
    }
    // SAFETY: NULL or a value that was not freed.
    let value = unsafe { value.as_ref() };
    // SAFETY: a string.
    let key = unsafe { CStr::from_ptr(key) };
    answer(ptr::null(), || {
        let attribute = value.and_then(|value| value.attributes.get(key));
        attribute.map_or(ptr::null(), |attribute| attribute.as_ptr())
    })
}

/// Wipes and frees. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_free(value: *mut Value) {
    answer((), || {
        if !value.is_null() {
            // SAFETY: given out by this library and not freed before.
            drop(unsafe { Box::from_raw(value) });
        }
    });
}
