//! The line between Rust and C: no panic crosses it.

use std::cell::Cell;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{self, Thread};

use nix::unistd::{getpid, gettid};

use tokenvault_client::ErrorCode;
use tokenvault_client::proto::memory;

use crate::failure::{self, Failure, Identity};

/// Runs a call that can fail; its failure is kept for `tokenvault_client_error`.
///
/// What a panic leaves behind is sound to use again: the client keeps its connection out of reach during a call.
pub(crate) fn call(client: Option<&Identity>, work: impl FnOnce() -> Result<(), Failure>) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // For what is small and of no call's own size.
        memory::room()?;
        hold_main_thread();
        work()
    }))
    .unwrap_or_else(|_| {
        Err(Failure::new(ErrorCode::Failed, "a fault in libtokenvault; please report what was called and how"))
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => failure::record(client, &failure),
    }
}

/// Runs a call that cannot fail; should it, C gets `otherwise`.
pub(crate) fn answer<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Holds std's handle of the main thread for good, as std itself does, but by a pointer to its beginning: valgrind takes
/// what only a pointer into its middle leads to for lost, and would say so of every program with this library. The handles
/// of other threads end with them.
fn hold_main_thread() {
    thread_local!(static IS_SEEN: Cell<bool> = const { Cell::new(false) });
    static MAIN: OnceLock<Thread> = OnceLock::new();
    if !IS_SEEN.replace(true) && gettid() == getpid() {
        MAIN.get_or_init(thread::current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_goes_no_further() {
        assert_eq!(call(None, || panic!("on purpose")), ErrorCode::Failed.number());
        assert_eq!(answer(7, || panic!("on purpose")), 7);
    }
}
