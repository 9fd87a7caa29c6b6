//! Memory for passwords: locked, left out of core dumps and of copies of the process, wiped before it is given back
//! (`mmap(2)`, `mlock(2)`, `madvise(2)`).

use std::ptr::{self, NonNull};

use zeroize::Zeroize as _;

/// Longest password that is kept; twice of what PAM itself takes from a prompt (`PAM_MAX_RESP_SIZE`).
pub(crate) const SECRET_BYTES_MAX: usize = 1024;

/// A password in memory of its own. No `Debug`, no `Clone`.
pub(crate) struct Password {
    /// A mapping of [`SECRET_BYTES_MAX`] bytes.
    start: NonNull<u8>,
    len: usize,
}

impl Password {
    /// Copies a password; `None` when it is too long or there is no memory.
    pub(crate) fn copy(bytes: &[u8]) -> Option<Self> {
        let mut password = Self { start: map()?, len: 0 };
        password.room().get_mut(..bytes.len())?.copy_from_slice(bytes);
        password.len = bytes.len();
        Some(password)
    }

    /// The bytes.
    pub(crate) fn expose(&self) -> &[u8] {
        // SAFETY: `len` bytes at the beginning of the mapping are initialised, and nobody writes to them meanwhile.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Whether this is a copy of the process that copied it. There are zeros then, and no password has any.
    pub(crate) fn is_wiped(&self) -> bool {
        self.expose().first() == Some(&0)
    }

    fn room(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has this size, holds zeros or what was written, and is this value's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), SECRET_BYTES_MAX) }
    }
}

/// New memory. Where it cannot be locked, because the host may lock none, it is used all the same.
fn map() -> Option<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new private mapping at an address of the kernel's choice disturbs no other memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), SECRET_BYTES_MAX, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range is the mapping just made; locking changes nothing in it.
    unsafe { libc::mlock(start, SECRET_BYTES_MAX) };
    // What a host starts while it keeps a password would have a copy of it, which nobody wipes.
    for advice in [libc::MADV_DONTDUMP, libc::MADV_WIPEONFORK] {
        // SAFETY: as above; the advice is about core dumps and about copies of the process alone.
        unsafe { libc::madvise(start, SECRET_BYTES_MAX, advice) };
    }
    NonNull::new(start.cast())
}

impl Drop for Password {
    fn drop(&mut self) {
        self.room().zeroize();
        // SAFETY: the range is the mapping of this value, and nothing refers to it after this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), SECRET_BYTES_MAX) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the mapping that holds `address`, from `/proc/self/smaps`.
    fn line_of_mapping(address: usize, key: &str) -> Option<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let holds = |line: &str| {
            let range = line.split(' ').next().unwrap_or_default().split_once('-')?;
            let ends = (usize::from_str_radix(range.0, 16).ok()?, usize::from_str_radix(range.1, 16).ok()?);
            Some((ends.0..ends.1).contains(&address))
        };
        let mut lines = maps.lines().skip_while(|line| holds(line) != Some(true)).skip(1);
        lines.find(|line| line.starts_with(key)).map(Into::into)
    }

    #[test]
    fn a_password_comes_out_as_it_went_in() {
        for len in [0, 1, 512, SECRET_BYTES_MAX] {
            let bytes = vec![7; len];
            assert_eq!(Password::copy(&bytes).unwrap().expose(), bytes);
        }
        assert!(Password::copy(&[7; SECRET_BYTES_MAX + 1]).is_none());
    }

    #[test]
    fn it_lies_in_locked_memory_that_no_core_dump_and_no_copy_has_and_that_goes_with_it() {
        let password = Password::copy(b"horse").unwrap();
        let address = password.start.as_ptr() as usize;
        let locked = line_of_mapping(address, "Locked:").unwrap();
        assert!(!locked.trim().ends_with(" 0 kB"), "{locked}");
        let flags = line_of_mapping(address, "VmFlags:").unwrap();
        assert!([" dd", " lo", " wf"].iter().all(|flag| flags.contains(flag)), "{flags}");
        drop(password);
        assert_eq!(line_of_mapping(address, "Locked:"), None);
    }
}
