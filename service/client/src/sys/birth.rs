//! Whether this is still the process that made something, asked without a system call (`madvise(2)`, `MADV_WIPEONFORK`).

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

/// The process something was made in. No handler stays behind when the library is unloaded: the mark goes with its owner.
pub(crate) struct Birth {
    mark: Option<Mark>,
    pid: u32,
}

impl Birth {
    /// Here and now.
    pub(crate) fn new() -> Self {
        Self { mark: Mark::new(), pid: std::process::id() }
    }

    /// Whether this is a child of the process it was made in.
    pub(crate) fn is_elsewhere(&self) -> bool {
        match &self.mark {
            Some(mark) => !mark.is_there(),
            None => std::process::id() != self.pid,
        }
    }
}

/// The kernel rounds it up to a page.
const LEN: NonZeroUsize = NonZeroUsize::MIN;

/// Memory with a 1 in it that a child of this process finds empty.
struct Mark(NonNull<AtomicU8>);

// SAFETY: the mapping is plain memory owned by this value, and what is in it is an atomic.
unsafe impl Send for Mark {}
// SAFETY: as above.
unsafe impl Sync for Mark {}

impl Mark {
    /// `None` where the kernel, or what stands in for one, does not do it.
    fn new() -> Option<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new private anonymous mapping at an address of the kernel's choice disturbs no other memory.
        let start = unsafe { mmap_anonymous(None, LEN, access, MapFlags::MAP_PRIVATE) }.ok()?;
        let mark = Self(start.cast());
        // An emulator may take every advice and follow none: one that takes nonsense is not believed.
        // SAFETY: there is no such advice, so nothing happens to the range, which is the mapping just made.
        let nonsense = unsafe { libc::madvise(start.as_ptr(), LEN.get(), -1) };
        if nonsense == 0 {
            return None;
        }
        // SAFETY: the range is the mapping just made, and the advice takes nothing away from this process.
        unsafe { madvise(start, LEN.get(), MmapAdvise::MADV_WIPEONFORK) }.ok()?;
        mark.byte().store(1, Ordering::Relaxed);
        Some(mark)
    }

    fn byte(&self) -> &AtomicU8 {
        // SAFETY: the mapping lives as long as this value, is aligned to a page, and holds zeros or what was stored.
        unsafe { self.0.as_ref() }
    }

    fn is_there(&self) -> bool {
        self.byte().load(Ordering::Relaxed) == 1
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: the range is the mapping made in `new`, and nothing refers to it after this.
        let _ = unsafe { munmap(self.0.cast(), LEN.get()) };
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    use super::*;

    #[track_caller]
    fn check(birth: &Birth) {
        assert!(!birth.is_elsewhere());
        // SAFETY: the child reads memory, at most asks for its number, and ends.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let status = i32::from(!birth.is_elsewhere());
                // SAFETY: ends the process at once.
                unsafe { libc::_exit(status) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            }
        }
        assert!(!birth.is_elsewhere());
    }

    #[test]
    fn a_child_is_told_from_its_parent_with_a_mark_and_without() {
        let birth = Birth::new();
        assert!(birth.mark.is_some());
        check(&birth);
        check(&Birth { mark: None, pid: std::process::id() });
    }
}
