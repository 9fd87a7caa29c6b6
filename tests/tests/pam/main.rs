//! `pam_tokenvault.so` in real login programs, with libpam's service files in a directory of the test: a C program that looks at
//! what is left in it, and pamtester.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod guest;
mod guest_program;
mod helper;
mod kit;
mod log;
mod login;
mod outage;
mod trouble;
