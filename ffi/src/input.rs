//! Pointers from C: checked, then turned into what Rust can hold.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

use tokenvault_client::proto::memory;

use crate::failure::Failure;
use crate::handle::{self, Object};

/// Larger than any vault keeps a value; beyond it, a length is a mistake and no memory to read.
const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// More attributes than any token can have; a list without an end is not followed further.
const ATTRIBUTES_MAX: usize = 1024;

/// Characters of a text that are shown in a message.
const TEXT_SHOWN: usize = 256;
/// More texts than any list can have.
const TEXTS_MAX: usize = 1024;

/// A string that may be left out.
///
/// # Safety
/// `pointer` is NULL or a string that ends with a zero byte and lives for `'a`.
pub(crate) unsafe fn optional_text<'a>(what: &str, pointer: *const c_char) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|_| Failure::invalid(format!("{what} is not UTF-8")))
}

/// A string that must be given.
///
/// # Safety
/// As for [`optional_text`].
pub(crate) unsafe fn text<'a>(what: &str, pointer: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(what, pointer) }?.ok_or_else(|| is_null(what))
}

/// As much of a text as people read.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(TEXT_SHOWN).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The bytes of a value.
///
/// # Safety
/// `pointer` is NULL or points to `len` bytes that live for `'a`.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Err(is_null("data"));
    }
    if len > VALUE_BYTES_MAX {
        return Err(Failure::invalid(format!("a value of {len} bytes is larger than any vault keeps")));
    }
    // SAFETY: not NULL, far below isize::MAX, and the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// Attributes as `key, value, key, value, NULL`; `None` when there is no list at all.
///
/// # Safety
/// `list` is NULL or points to strings as for [`optional_text`], the last one NULL.
pub(crate) unsafe fn attributes(list: *const *const c_char) -> Result<Option<BTreeMap<String, String>>, Failure> {
    if list.is_null() {
        return Ok(None);
    }
    let mut attributes = BTreeMap::new();
    for pair in 0..=ATTRIBUTES_MAX {
        // SAFETY: the list did not end before this entry.
        let key = unsafe { list.wrapping_add(2 * pair).read_unaligned() };
        if key.is_null() {
            return Ok(Some(attributes));
        }
        // SAFETY: as the list did not end with the key, there is one more entry.
        let value = unsafe { list.wrapping_add(2 * pair + 1).read_unaligned() };
        // SAFETY: entries are strings, by the caller's promise.
        let key = unsafe { text("an attribute's key", key) }?;
        // SAFETY: entries are strings or the NULL that ends the list.
        let value = unsafe { text("an attribute's value", value) }?;
        let (owned, value) = (memory::text(key)?, memory::text(value)?);
        // A map cannot be asked to make room.
        memory::room()?;
        if attributes.insert(owned, value).is_some() {
            return Err(Failure::invalid(format!("attribute '{}' is given twice", beginning(key).escape_debug())));
        }
    }
    Err(Failure::invalid(format!("more than {ATTRIBUTES_MAX} attributes; the list ends with NULL")))
}

/// Texts as `text, text, ..., NULL`; `None` when there is no list at all.
///
/// # Safety
/// `list` is NULL or points to strings as for [`optional_text`], the last one NULL.
pub(crate) unsafe fn texts(what: &str, list: *const *const c_char) -> Result<Option<Vec<String>>, Failure> {
    if list.is_null() {
        return Ok(None);
    }
    let mut texts = Vec::new();
    for at in 0..=TEXTS_MAX {
        // SAFETY: the list did not end before this entry.
        let pointer = unsafe { list.wrapping_add(at).read_unaligned() };
        // SAFETY: entries are strings or the NULL that ends the list.
        match unsafe { optional_text(what, pointer) }? {
            Some(text) => memory::push(&mut texts, memory::text(text)?)?,
            None => return Ok(Some(texts)),
        }
    }
    Err(Failure::invalid(format!("more than {TEXTS_MAX} {what}; the list ends with NULL")))
}

/// Where a result goes.
pub(crate) struct Output<'a, T> {
    pointer: *mut T,
    borrowed: PhantomData<&'a mut T>,
}

impl<T> Output<'_, T> {
    /// A place that must be given.
    ///
    /// # Safety
    /// `pointer` is NULL or a place for a `T` that nobody else uses for `'a`.
    pub(crate) unsafe fn new(what: &str, pointer: *mut T) -> Result<Self, Failure> {
        if pointer.is_null() {
            return Err(is_null(what));
        }
        Ok(Self { pointer, borrowed: PhantomData })
    }

    /// Writes the result; what was there is not looked at.
    pub(crate) fn set(self, value: T) {
        // SAFETY: `new` took the promise that it is a place for a `T`, ours alone.
        unsafe { self.pointer.write(value) }
    }
}

impl<T: Object> Output<'_, *mut T> {
    /// Hands an object over to C, which frees it with the type's free function.
    pub(crate) fn give(self, object: T) {
        self.set(handle::hand_over(object));
    }
}

pub(crate) fn is_null(what: &str) -> Failure {
    Failure::invalid(format!("{what} is NULL"))
}
