//! What is known about a token beside its value.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use crate::value::{Text, Value, ask};

/// The token's name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_name(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Name)) }
}

/// Whose token it is, "uid:N". Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_owner(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Owner)) }
}

/// "machine" or "login". Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_class(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Class)) }
}

/// Media type of the value; empty when none was given. Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_content_type(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::ContentType)) }
}

/// What the caller may do with the token: "owner", "read", "write"; for a row of
/// tokenvault_list_shares: what the grantee may do. Empty for a row of tokenvault_list_versions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_permission(value: *const Value) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), |value| value.text(Text::Permission)) }
}

/// How many bytes the value has in the vault, also where it was not fetched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_size(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.size) }
}

/// When the token was first put, of a row of tokenvault_list_versions: the version, of one of
/// tokenvault_list_shares: granted, of what was issued: issued; microseconds since the epoch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_created(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.created) }
}

/// When the token was last changed, microseconds since the epoch. 0 for a row of tokenvault_list_versions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_updated(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.updated) }
}

/// 1 when the token is shared with anyone, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_is_shared(value: *const Value) -> c_int {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| c_int::from(value.facts.is_shared)) }
}

/// 1 when tokenvault_get must name a purpose, else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_requires_purpose(value: *const Value) -> c_int {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| c_int::from(value.facts.requires_purpose)) }
}

/// For a row of tokenvault_list_versions: 1 when this is the version that tokenvault_get gives. Else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_is_current(value: *const Value) -> c_int {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| c_int::from(value.facts.is_current)) }
}

/// How many attributes the token carries, or claims what was issued.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attribute_count(value: *const Value) -> usize {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.attributes().count() / 2) }
}

/// The key of one attribute, in the order of the keys; NULL beyond the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attribute_key(value: *const Value, index: usize) -> *const c_char {
    // SAFETY: NULL or a value that was not freed.
    unsafe {
        ask(value, ptr::null(), |value| value.attributes().step_by(2).nth(index).map_or(ptr::null(), CStr::as_ptr))
    }
}
