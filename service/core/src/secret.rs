//! The one type secrets travel in.

use std::ops::Range;

use crate::port::{SecretBuffer, SecretMemory, SecretMemoryExhausted};

/// Secret bytes in secret memory: wiped on drop, without `Debug`, `Display`, `Clone` or any serialisation.
///
/// The bytes are reached through [`Secret::expose`] only, so that every use can be found with one search.
pub struct Secret {
    buffer: Box<dyn SecretBuffer>,
    /// The part of the buffer that is the secret.
    part: Range<usize>,
}

impl Secret {
    /// `len` zero bytes to be filled in place.
    ///
    /// # Errors
    /// [`SecretMemoryExhausted`] when the memory is used up.
    pub fn zeroed(memory: &dyn SecretMemory, len: usize) -> Result<Self, SecretMemoryExhausted> {
        Ok(Self { buffer: memory.allocate(len)?, part: 0..len })
    }

    /// A copy of `bytes`. The caller wipes its own.
    ///
    /// # Errors
    /// [`SecretMemoryExhausted`] when the memory is used up.
    pub fn copy_from(memory: &dyn SecretMemory, bytes: &[u8]) -> Result<Self, SecretMemoryExhausted> {
        let mut secret = Self::zeroed(memory, bytes.len())?;
        secret.expose_mut().copy_from_slice(bytes);
        Ok(secret)
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        self.buffer.bytes().get(self.part.clone()).unwrap_or_default()
    }

    /// The bytes, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut().get_mut(self.part.clone()).unwrap_or_default()
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Shows only a part of the bytes from now on; nothing where there is no such part. All of them are wiped at the end.
    #[must_use]
    pub fn narrow(mut self, part: Range<usize>) -> Self {
        self.part = self.part.start + part.start..self.part.end.min(self.part.start + part.end);
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
