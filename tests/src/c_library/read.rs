//! What the library gives out, copied into what the suites compare.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};

use tokenvault_proto::{IssuedInfo, OfferInfo, ShareInfo, TokenInfo, VersionInfo};

use super::abi;

/// A token with its value.
#[derive(Debug)]
pub struct Value {
    data: Vec<u8>,
    info: TokenInfo,
}

impl Value {
    /// The value's bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Everything else about the token.
    pub const fn info(&self) -> &TokenInfo {
        &self.info
    }
}

/// A copy of a text of the library.
pub(super) fn text(pointer: *const c_char) -> String {
    assert!(!pointer.is_null(), "a text is missing");
    // SAFETY: not NULL, and the library gives out nothing but strings.
    unsafe { CStr::from_ptr(pointer) }.to_str().expect("UTF-8").to_owned()
}

pub(super) fn fact(info: *const abi::Info, key: &CStr) -> String {
    text(c!(tokenvault_info_text(info, key.as_ptr())))
}

pub(super) fn number(info: *const abi::Info, key: &CStr) -> u64 {
    c!(tokenvault_info_number(info, key.as_ptr()))
}

pub(super) fn take_value(value: *mut abi::Value) -> Value {
    let (data, len) = (c!(tokenvault_value_data(value)), c!(tokenvault_value_len(value)));
    let bytes = match len {
        0 => Vec::new(),
        // SAFETY: the header says that `data` points to `len` bytes.
        _ => unsafe { std::slice::from_raw_parts(data, len) }.to_vec(),
    };
    let taken = Value { data: bytes, info: token_info(value) };
    c!(tokenvault_value_free(value));
    taken
}

pub(super) fn take_rows<T>(list: *mut abi::List, read: fn(*const abi::Value) -> T) -> Vec<T> {
    let rows = (0..c!(tokenvault_list_len(list))).map(|at| read(c!(tokenvault_list_value(list, at)))).collect();
    c!(tokenvault_list_free(list));
    rows
}

pub(super) fn token_info(value: *const abi::Value) -> TokenInfo {
    TokenInfo {
        name: text(c!(tokenvault_value_name(value))),
        owner: text(c!(tokenvault_value_owner(value))),
        version: c!(tokenvault_value_version(value)),
        size: c!(tokenvault_value_size(value)),
        class: text(c!(tokenvault_value_class(value))),
        content_type: text(c!(tokenvault_value_content_type(value))),
        attributes: attributes(value),
        created: c!(tokenvault_value_created(value)),
        updated: c!(tokenvault_value_updated(value)),
        shared: c!(tokenvault_value_is_shared(value)) == 1,
        permission: text(c!(tokenvault_value_permission(value))),
        require_purpose: c!(tokenvault_value_requires_purpose(value)) == 1,
        expires: expires(value),
        note: note(value),
    }
}

pub(super) fn version_info(value: *const abi::Value) -> VersionInfo {
    VersionInfo {
        version: c!(tokenvault_value_version(value)),
        size: c!(tokenvault_value_size(value)),
        created: c!(tokenvault_value_created(value)),
        current: c!(tokenvault_value_is_current(value)) == 1,
        expires: expires(value),
    }
}

pub(super) fn share_info(value: *const abi::Value) -> ShareInfo {
    ShareInfo {
        grantee: text(c!(tokenvault_value_grantee(value))),
        permission: text(c!(tokenvault_value_permission(value))),
        created: c!(tokenvault_value_created(value)),
        expires: expires(value),
        uses_left: u32::try_from(c!(tokenvault_value_uses_left(value))).ok(),
        note: note(value),
    }
}

fn note(value: *const abi::Value) -> Option<String> {
    Some(text(c!(tokenvault_value_note(value)))).filter(|note| !note.is_empty())
}

pub(super) fn issued_info(value: *const abi::Value) -> IssuedInfo {
    let scope = |at| text(c!(tokenvault_value_scope(value, at)));
    IssuedInfo {
        id: text(c!(tokenvault_value_id(value))),
        kind: text(c!(tokenvault_value_kind(value))),
        subject: text(c!(tokenvault_value_subject(value))),
        audience: text(c!(tokenvault_value_audience(value))),
        scopes: (0..c!(tokenvault_value_scope_count(value))).map(scope).collect(),
        claims: attributes(value),
        issued: c!(tokenvault_value_created(value)),
        expires: c!(tokenvault_value_expires(value)),
        issuer: text(c!(tokenvault_value_issuer(value))),
        uses_left: u32::try_from(c!(tokenvault_value_uses_left(value))).ok(),
        attempts_left: attempts_left(value),
    }
}

pub(super) fn offer_info(value: *const abi::Value) -> OfferInfo {
    OfferInfo {
        id: text(c!(tokenvault_value_id(value))),
        expires: c!(tokenvault_value_expires(value)),
        attempts_left: attempts_left(value).expect("an offer has attempts"),
    }
}

fn attempts_left(value: *const abi::Value) -> Option<u32> {
    u32::try_from(c!(tokenvault_value_attempts_left(value))).ok()
}

/// The data of a value, which is a text, and what `read` makes of the rest.
pub(super) fn take_text<T>(value: *mut abi::Value, read: fn(*const abi::Value) -> T) -> (String, T) {
    let rest = read(value);
    let data = take_value(value).data;
    (String::from_utf8(data).expect("UTF-8"), rest)
}

fn expires(value: *const abi::Value) -> Option<u64> {
    Some(c!(tokenvault_value_expires(value))).filter(|time| *time != 0)
}

fn attributes(value: *const abi::Value) -> BTreeMap<String, String> {
    let keys = (0..c!(tokenvault_value_attribute_count(value))).map(|at| c!(tokenvault_value_attribute_key(value, at)));
    keys.map(|key| (text(key), text(c!(tokenvault_value_attribute(value, key))))).collect()
}
