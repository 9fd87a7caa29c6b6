//! `tokenvault_value`: a token, a version or a share of it, with or without its value. What is known beside the value: `metadata`.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use tokenvault_client::{ShareInfo, TokenInfo, Value as Fetched, VersionInfo};

use crate::boundary::answer;
use crate::failure::Failure;
use crate::handle::{self, Object};
use crate::texts::Texts;

/// A token. What its functions give out lives as long as it does.
pub struct Value {
    /// Wiped when it goes. Boxed, as most rows of a list have none.
    fetched: Option<Box<Fetched>>,
    pub(crate) facts: Facts,
    /// First those of [`Text`], in that order; then key, value, key, value of the attributes.
    texts: Texts,
}

/// What is known of it in numbers; times are microseconds since the epoch, 0 where there is none.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) version: u64,
    pub(crate) size: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) expires: u64,
    pub(crate) is_shared: bool,
    pub(crate) requires_purpose: bool,
    pub(crate) is_current: bool,
    pub(crate) uses_left: Option<u32>,
}

/// What every token has, in the order of [`Value::texts`].
#[derive(Clone, Copy)]
pub(crate) enum Text {
    Name,
    Owner,
    Class,
    ContentType,
    Permission,
    Grantee,
}

/// How many there are before the attributes.
const TEXTS: usize = Text::Grantee as usize + 1;

impl Object for Value {
    const MARK: [u8; 8] = *b"tv value";
}

impl Value {
    pub(crate) fn with_data(fetched: Fetched) -> Result<Self, Failure> {
        let value = Self::without_data(fetched.info())?;
        Ok(Self { fetched: Some(Box::new(fetched)), ..value })
    }

    pub(crate) fn without_data(info: &TokenInfo) -> Result<Self, Failure> {
        let texts: [&str; TEXTS] = [&info.name, &info.owner, &info.class, &info.content_type, &info.permission, ""];
        let attributes = info.attributes.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let facts = Facts {
            version: info.version,
            size: info.size,
            created: info.created,
            updated: info.updated,
            expires: info.expires.unwrap_or(0),
            is_shared: info.shared,
            requires_purpose: info.require_purpose,
            ..Facts::default()
        };
        Ok(Self { fetched: None, facts, texts: Texts::collect(texts.into_iter().chain(attributes))? })
    }

    /// One version among those of the token `name`.
    pub(crate) fn of_version(name: &str, info: &VersionInfo) -> Result<Self, Failure> {
        let facts = Facts {
            version: info.version,
            size: info.size,
            created: info.created,
            expires: info.expires.unwrap_or(0),
            is_current: info.current,
            ..Facts::default()
        };
        let texts: [&str; TEXTS] = [name, "", "", "", "", ""];
        Ok(Self { fetched: None, facts, texts: Texts::collect(texts.into_iter())? })
    }

    /// One share among those of the token `name`.
    pub(crate) fn of_share(name: &str, info: &ShareInfo) -> Result<Self, Failure> {
        let facts = Facts {
            created: info.created,
            expires: info.expires.unwrap_or(0),
            is_shared: true,
            uses_left: info.uses_left,
            ..Facts::default()
        };
        let texts: [&str; TEXTS] = [name, "", "", "", &info.permission, &info.grantee];
        Ok(Self { fetched: None, facts, texts: Texts::collect(texts.into_iter())? })
    }

    pub(crate) fn text(&self, which: Text) -> *const c_char {
        self.texts.iter().nth(which as usize).map_or(ptr::null(), CStr::as_ptr)
    }

    /// The attributes' keys and values, in turns.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &CStr> {
        self.texts.iter().skip(TEXTS)
    }
}

/// Answers a question about a value; with `otherwise` when there is none.
///
/// # Safety
/// `value` is NULL or a value that was not freed.
pub(crate) unsafe fn ask<T: Copy>(value: *const Value, otherwise: T, question: impl FnOnce(&Value) -> T) -> T {
    // SAFETY: the caller's promise.
    let value = unsafe { handle::look(value) };
    answer(otherwise, || value.map_or(otherwise, question))
}

/// The value's bytes; no zero byte follows them. NULL when there is no value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_data(value: *const Value) -> *const c_void {
    let data = |value: &Value| value.fetched.as_ref().map_or(ptr::null(), |fetched| fetched.data().as_ptr().cast());
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), data) }
}

/// How many bytes tokenvault_value_data points to; 0 when there is no value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_len(value: *const Value) -> usize {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.fetched.as_ref().map_or(0, |fetched| fetched.data().len())) }
}

/// The number of the version, from 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_version(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.version) }
}

/// When the version expires, microseconds since the epoch; 0: never.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_expires(value: *const Value) -> u64 {
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, 0, |value| value.facts.expires) }
}

/// One attribute; NULL when the token does not carry it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_attribute(value: *const Value, key: *const c_char) -> *const c_char {
    if key.is_null() {
        return ptr::null();
    }
    // SAFETY: a string.
    let key = unsafe { CStr::from_ptr(key) };
    let find = |value: &Value| {
        let mut texts = value.attributes();
        while let (Some(candidate), Some(attribute)) = (texts.next(), texts.next()) {
            if candidate == key {
                return attribute.as_ptr();
            }
        }
        ptr::null()
    };
    // SAFETY: NULL or a value that was not freed.
    unsafe { ask(value, ptr::null(), find) }
}

/// Wipes and frees. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenvault_value_free(value: *mut Value) {
    // SAFETY: NULL or a value that was not freed.
    answer((), || unsafe { handle::take_back(value) });
}
