//! The TPM worker, seen as the daemon sees it, against a software TPM: what it promises, who may listen, what can break.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod counting;
mod disturbed;
mod hardening;
mod kit;
mod overheard;
mod sealing;
mod wiretap;
