//! The one question that only the C library answers.
#![allow(unsafe_code)]

/// Whether this program runs with more rights than the user who started it (setuid, setgid, file capabilities), so that
/// the environment is somebody else's to choose.
pub(crate) fn is_privileged_start() -> bool {
    // SAFETY: getauxval takes a number, reads memory that the kernel filled before the program started, and returns 0
    // for an entry that is not there.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
