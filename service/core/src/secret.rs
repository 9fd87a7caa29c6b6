//! The one type secrets travel in.

use crate::port::{SecretBuffer, SecretMemory, SecretMemoryExhausted};

/// Secret bytes in secret memory: wiped on drop, without `Debug`, `Display`, `Clone` or any serialisation.
///
/// The bytes are reached through [`Secret::expose`] only, so that every use can be found with one search.
pub struct Secret(Box<dyn SecretBuffer>);

impl Secret {
    /// `len` zero bytes to be filled in place.
    ///
    /// # Errors
    /// [`SecretMemoryExhausted`] when the memory is used up.
    pub fn zeroed(memory: &dyn SecretMemory, len: usize) -> Result<Self, SecretMemoryExhausted> {
        memory.allocate(len).map(Self)
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
        self.0.bytes()
    }

    /// The bytes, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.bytes().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
