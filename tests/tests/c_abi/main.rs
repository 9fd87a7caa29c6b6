//! libtokenvault as a package installs it and as C programs use it: built with what `pkg-config` says, run against a real
//! vault, plain, under valgrind, and with the compiler's sanitizers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod examples;
mod header;
mod kit;
mod linking;
mod lists;
mod memory;
mod programs;
mod residue;
mod restart;
