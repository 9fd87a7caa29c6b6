//! `pam_tokenvault.so` in real login programs, with libpam's service files in a directory of the test: a C program that looks at
//! what is left in it, and pamtester.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and figures are for those who read them"
)]

mod attempt;
mod class;
mod guest;
mod guest_program;
mod impostor;
mod kit;
mod locked;
mod log;
mod login;
mod matrix;
mod outage;
mod trouble;
