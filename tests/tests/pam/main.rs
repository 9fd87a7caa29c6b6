//! `pam_tokenvault.so` in real login programs: a C program that looks at what is left in it, and pamtester, with libpam's
//! service files in a directory of the test (libpam_wrapper).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod guest;
mod kit;
mod login;
mod outage;
mod trouble;
