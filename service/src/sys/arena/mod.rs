//! The memory secrets lie in while the daemon runs.
//!
//! Chunks are mapped as they are needed, up to a cap, and kept out of swap, core dumps and forked children. Blocks are
//! wiped before they are free again, so what is handed out is always zero. Where memory cannot be locked (a container
//! without the right, a small `RLIMIT_MEMLOCK`) the arena works all the same and says so in its status.

mod mapping;
mod slab;

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::port::{SecretBuffer, SecretMemory, SecretMemoryExhausted};
use zeroize::Zeroize;

use self::slab::{Place, Slab};

/// Bytes mapped at a time.
const CHUNK: usize = 256 * 1024;

/// How much of the arena is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArenaStatus {
    /// Most bytes it may map.
    pub cap: usize,
    /// Bytes mapped.
    pub mapped: usize,
    /// Bytes in blocks that are in use.
    pub used: usize,
    /// Mapped bytes that may be swapped out, because they could not be locked.
    pub unlocked: usize,
    /// The system's words when a chunk last could not be locked.
    pub lock_error: Option<String>,
}

/// Locked, wiped memory shared by everyone in the daemon. A clone is another handle to the same memory.
#[derive(Clone)]
pub struct LockedArena(Arc<Shared>);

struct Shared {
    cap: usize,
    slab: Mutex<Slab>,
}

impl LockedArena {
    /// The cap used when nothing else is said.
    pub const DEFAULT_CAP: usize = 64 * 1024 * 1024;

    /// An arena of at most `cap` bytes. Nothing is mapped before the first allocation.
    pub fn new(cap: usize) -> Self {
        Self(Arc::new(Shared { cap, slab: Mutex::default() }))
    }

    /// What is in use, and whether it is locked.
    pub fn status(&self) -> ArenaStatus {
        self.0.slab().status(self.0.cap)
    }

    fn block(&self, len: usize) -> Result<Block, SecretMemoryExhausted> {
        let (start, place) = self.0.slab().take(len, self.0.cap).ok_or(SecretMemoryExhausted)?;
        Ok(Block { start, len, place, arena: Arc::clone(&self.0) })
    }
}

impl Shared {
    fn slab(&self) -> MutexGuard<'_, Slab> {
        // Nothing panics while the lock is held; if something did, the books are still the best there are.
        self.slab.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretMemory for LockedArena {
    fn allocate(&self, len: usize) -> Result<Box<dyn SecretBuffer>, SecretMemoryExhausted> {
        Ok(Box::new(self.block(len)?))
    }
}

/// One block in use. It keeps the arena alive.
struct Block {
    start: NonNull<u8>,
    len: usize,
    place: Place,
    arena: Arc<Shared>,
}

// SAFETY: the block is plain memory that this value alone may touch; nothing in it is bound to a thread.
unsafe impl Send for Block {}
// SAFETY: through a shared reference the bytes can only be read.
unsafe impl Sync for Block {}

impl SecretBuffer for Block {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the slab gave these bytes to this block alone, they are inside a live mapping that `arena` keeps, and
        // they were zeroed or written before.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the exclusive borrow of the block is the exclusive right to its bytes.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        let unmapped = self.arena.slab().give_back(self.place);
        // Undoing a mapping is slow; it is done here, after the lock is released.
        drop(unmapped);
    }
}

#[cfg(test)]
mod tests;
