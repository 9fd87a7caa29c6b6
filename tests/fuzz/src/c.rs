//! Memory as a C program lays it out for a call, made of input.

use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// Bytes behind a structure that the size at its beginning may count.
const ROOM: usize = 8192;
/// A text or a list that is longer than any that is taken.
const LONG: usize = 70_000;

/// What one call is handed. Everything lives as long as this does.
pub struct Memory<'a> {
    input: &'a [u8],
    texts: Vec<CString>,
    lists: Vec<Vec<*const c_char>>,
    structures: Vec<Vec<u64>>,
}

/// A field of a structure behind its size.
#[derive(Clone, Copy)]
pub enum Field {
    /// `const char *`
    Text,
    /// `const char *const *`
    List,
    /// `uint64_t`
    Long,
    /// `uint32_t`, `int`
    Short,
}

impl Field {
    const fn bytes(self) -> usize {
        match self {
            Self::Short => 4,
            Self::Text | Self::List | Self::Long => 8,
        }
    }
}

impl<'a> Memory<'a> {
    pub const fn of(input: &'a [u8]) -> Self {
        Self { input, texts: Vec::new(), lists: Vec::new(), structures: Vec::new() }
    }

    /// The next byte; 0 where there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.input.split_first() else { return 0 };
        self.input = rest;
        *first
    }

    /// The next bytes, as many as there are.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.input.split_at(len.min(self.input.len()));
        self.input = rest;
        bytes
    }

    fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        let bytes = self.bytes(8);
        number[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(number)
    }

    /// A string, or NULL.
    pub fn text(&mut self) -> *const c_char {
        let text = match self.byte() {
            0 => return ptr::null(),
            255 => vec![self.byte().max(1); LONG],
            len => self.bytes(usize::from(len) - 1).split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
        };
        self.texts.push(CString::new(text).expect("it ends where its zero is"));
        self.texts.last().map_or(ptr::null(), |text| text.as_ptr())
    }

    /// Strings with a NULL behind the last, or NULL.
    pub fn list(&mut self) -> *const *const c_char {
        let mut list = match self.byte() {
            0 => return ptr::null(),
            255 => vec![self.text(); LONG],
            len => (1..len).map(|_| self.text()).collect(),
        };
        list.push(ptr::null());
        self.lists.push(list);
        self.lists.last().map_or(ptr::null(), Vec::as_ptr).cast()
    }

    /// A structure that begins with its size, or NULL. As many bytes are there as any size says that is not refused.
    pub fn options(&mut self, fields: &[Field]) -> *const c_void {
        let form = self.byte();
        if form == 0 {
            return ptr::null();
        }
        let mut bytes = Vec::with_capacity(ROOM);
        bytes.extend(0_usize.to_ne_bytes());
        for field in fields {
            bytes.resize(bytes.len().next_multiple_of(field.bytes()), 0);
            match field {
                Field::Text => bytes.extend((self.text() as usize).to_ne_bytes()),
                Field::List => bytes.extend((self.list() as usize).to_ne_bytes()),
                Field::Long => bytes.extend(self.number().to_ne_bytes()),
                Field::Short => bytes.extend(&self.number().to_ne_bytes()[..4]),
            }
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let size = match form {
            1..192 => bytes.len(),
            192..224 => usize::from(self.byte()),
            224..240 => bytes.len() + usize::from(self.byte()),
            _ => usize::try_from(self.number()).unwrap_or(usize::MAX),
        };
        // Of the future, or forgotten.
        let rest = if form.is_multiple_of(2) { self.byte() } else { 0 };
        bytes.resize(ROOM, rest);
        bytes[..8].copy_from_slice(&size.to_ne_bytes());
        let words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")));
        self.structures.push(words.collect());
        self.structures.last().map_or(ptr::null(), Vec::as_ptr).cast()
    }
}
