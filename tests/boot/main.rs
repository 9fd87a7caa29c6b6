//! The installed packages in booted machines. Run by `make test-boot`, which prepares what they boot from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod activation;
mod common;
mod credential;
mod directory;
mod everyday;
mod hardening;
mod install;
mod isolation;
mod lifecycle;
mod login;
mod login_class;
mod machine;
mod restart;
mod reused_uid;
mod site;
mod tpm;
mod unattended;
mod virtual_machine;
