//! One anonymous mapping for secrets.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use zeroize::Zeroize;

/// Memory that is left out of core dumps, empty in a forked child and, where the system lets us, never swapped. Zeroed at
/// first; wiped and given back on drop.
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    lock_error: Option<io::Error>,
}

// SAFETY: the mapping is plain memory owned by this value; nothing in it is bound to a thread.
unsafe impl Send for Mapping {}
// SAFETY: a shared `Mapping` hands out addresses only; who may touch which bytes is settled by the arena.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps at least `len` bytes.
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let wanted = NonZeroUsize::new(len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private anonymous mapping at an address of the kernel's choice disturbs no other memory.
        let start = unsafe { mmap_anonymous(None, wanted, access, MapFlags::MAP_PRIVATE) }?;
        let mut mapping = Self { start: start.cast(), len, lock_error: None };
        mapping.advise(MmapAdvise::MADV_DONTDUMP)?;
        mapping.advise(MmapAdvise::MADV_WIPEONFORK)?;
        // SAFETY: the range is the mapping just made.
        mapping.lock_error = unsafe { mlock(mapping.address(), len) }.err().map(io::Error::from);
        Ok(mapping)
    }

    fn address(&self) -> NonNull<c_void> {
        self.start.cast()
    }

    fn advise(&self, advice: MmapAdvise) -> io::Result<()> {
        // SAFETY: the range is this mapping, and neither advice used here takes memory away from this process.
        unsafe { madvise(self.address(), self.len, advice) }.map_err(io::Error::from)
    }

    /// First byte.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Why the mapping could not be locked, if it could not.
    pub(super) fn lock_error(&self) -> Option<&io::Error> {
        self.lock_error.as_ref()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the arena drops a mapping only when no buffer points into it, so this is the one reference to it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) };
        bytes.zeroize();
        // SAFETY: the range is the mapping made in `new`, and nothing refers to it after this. A failure would leave it
        // mapped, wiped already.
        let _ = unsafe { munmap(self.address(), self.len) };
    }
}
