//! The line between Rust and the host: no panic crosses it, and nothing but `PAM_IGNORE` is ever answered.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// "Go on as if this module were not there" (`pam(3)`).
pub(crate) const PAM_IGNORE: c_int = 25;

/// Runs an entry. A panic ends it and is neither shown nor passed on; what it leaves behind is never used again.
pub(crate) fn guest(work: impl FnOnce()) -> c_int {
    hold_tongue();
    let _ = catch_unwind(AssertUnwindSafe(work));
    PAM_IGNORE
}

/// Keeps a panic off the standard error of the host. This library has a standard library of its own, so a host in Rust
/// keeps its hook.
#[cfg(not(test))]
fn hold_tongue() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// Tests want to see theirs.
#[cfg(test)]
fn hold_tongue() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_ignore_also_when_there_was_a_panic() {
        assert_eq!(guest(|| ()), PAM_IGNORE);
        assert_eq!(guest(|| panic!("on purpose")), PAM_IGNORE);
    }
}
