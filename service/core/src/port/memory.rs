//! Where secrets lie while they are in use.

use zeroize::Zeroizing;

/// The memory for secrets is used up. The caller answers `LimitsExceeded`; nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no secret memory left")]
pub struct SecretMemoryExhausted;

/// One region of secret memory, wiped when it is dropped.
pub trait SecretBuffer: Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];

    /// The bytes, to be filled in place.
    fn bytes_mut(&mut self) -> &mut [u8];
}

/// Hands out secret memory. The daemon's is locked, left out of core dumps and wiped in a forked child.
pub trait SecretMemory: Send + Sync {
    /// A zeroed region of exactly `len` bytes.
    ///
    /// # Errors
    /// [`SecretMemoryExhausted`] when the arena is full.
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted>;
}

/// Secret memory on the ordinary heap: wiped on drop, but not locked. For tests and programs without an arena.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeapMemory;

struct HeapBuffer(Zeroizing<Box<[u8]>>);

impl SecretBuffer for HeapBuffer {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl SecretMemory for HeapMemory {
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted> {
        Ok(Box::new(HeapBuffer(Zeroizing::new(vec![0; len].into_boxed_slice()))))
    }
}
