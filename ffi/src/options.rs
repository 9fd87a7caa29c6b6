//! Options structures that can grow: each begins with its own size, and only what that covers is read.

use std::ffi::{c_char, c_int};

use tokenvault_client::proto::memory;

use crate::failure::Failure;
use crate::input;

/// No options structure will ever be larger; a larger size is a forgotten initialisation.
const SIZE_MAX: usize = 4096;

/// An options structure of the header.
///
/// # Safety
/// It is `repr(C)`, begins with `size: usize`, and every pattern of bits is valid for its fields.
pub(crate) unsafe trait Options: Copy + Default {
    /// The sizes it ever had: its current one, and where each field after the first begins.
    const SIZES: &'static [usize];
}

/// What the caller has set; the rest is zero, which means default.
///
/// A structure of a newer header is taken when what is unknown here is zero.
///
/// # Safety
/// `pointer` is NULL or points to as many bytes as the `usize` at its beginning says.
pub(crate) unsafe fn read<T: Options>(pointer: *const T) -> Result<T, Failure> {
    let mut options = T::default();
    if pointer.is_null() {
        return Ok(options);
    }
    // SAFETY: not NULL, and begins with its size.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    let known = size.min(size_of::<T>());
    if size > SIZE_MAX || !T::SIZES.contains(&known) {
        return Err(Failure::invalid(format!("options have an impossible size of {size} bytes; set it to sizeof")));
    }
    // SAFETY: `size` bytes are there by the caller's promise, and it is small.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    if bytes.iter().skip(known).any(|byte| *byte != 0) {
        return Err(Failure::invalid("options of a newer libtokenvault are set; this one does not know them"));
    }
    // SAFETY: both have `known` bytes, and any bytes make a valid `T`.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut options).cast::<u8>(), known) };
    Ok(options)
}

/// A string among the options, owned; NULL means default.
///
/// # Safety
/// As for [`input::optional_text`].
pub(crate) unsafe fn string(what: &str, pointer: *const c_char) -> Result<Option<String>, Failure> {
    // SAFETY: the caller's promise.
    let text = unsafe { input::optional_text(what, pointer) }?;
    Ok(text.map(memory::text).transpose()?)
}

/// A number among the options; zero means default.
pub(crate) fn number<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// A yes or no among the options: 1, -1, and 0 for the default.
pub(crate) fn yes_or_no(what: &str, value: c_int) -> Result<Option<bool>, Failure> {
    match value {
        0 => Ok(None),
        1 => Ok(Some(true)),
        -1 => Ok(Some(false)),
        _ => Err(Failure::invalid(format!("{what} is {value}; it can be 1 (yes), -1 (no) or 0 (default)"))),
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::get_options::GetOptions;

    /// A structure as a caller lays it out, with room for fields of the future.
    #[repr(C)]
    struct Memory {
        options: GetOptions,
        future: [u64; 2],
    }

    fn memory(size: usize) -> Memory {
        Memory { options: GetOptions { size, version: 7, ..GetOptions::default() }, future: [0; 2] }
    }

    fn read_from(memory: &Memory) -> Result<GetOptions, Failure> {
        // SAFETY: the sizes in these tests stay within the memory, or are refused before it is read.
        unsafe { read(std::ptr::from_ref(memory).cast()) }
    }

    #[test]
    fn only_what_the_size_covers_is_read() {
        assert_eq!(read_from(&memory(size_of::<GetOptions>())).unwrap().version, 7);
        assert_eq!(read_from(&memory(offset_of!(GetOptions, version))).unwrap().version, 0);
        assert_eq!(read_from(&memory(size_of::<usize>())).unwrap().version, 0);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 1, 7, 9, 12, size_of::<GetOptions>() - 1, 4097, usize::MAX] {
            assert!(read_from(&memory(size)).is_err(), "{size}");
        }
    }

    #[test]
    fn a_newer_structure_is_taken_while_its_new_fields_are_zero() {
        let mut memory = memory(size_of::<Memory>());
        assert_eq!(read_from(&memory).unwrap().version, 7);
        memory.future[1] = 1;
        assert!(read_from(&memory).is_err());
    }
}
