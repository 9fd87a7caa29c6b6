//! D1: whatever system call the daemon is killed before, what was acknowledged is there and nothing is half there.
//!
//! `strace` kills the running daemon before the n-th call of a kind. The same store is used from kill to kill, so that what
//! one leaves behind is what the next one starts from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod kill;
mod shelf;
