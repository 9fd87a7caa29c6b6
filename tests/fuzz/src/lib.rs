//! S12: malformed input is refused, and nothing else comes of it. One target for each thing that reads bytes of others.
//!
//! A target panics where something is not as it should be: what is read and written again is the same, what is refused is refused with an
//! error. Each has seeds under `seeds/TARGET`, and what was found once lies under `found/TARGET`: both are run with the other tests.
//! `make fuzz` has the compiler count what is reached and looks for more.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what cannot go on has found something"
)]

mod c;
mod dbus;
mod pretended;
mod served;
mod target;

pub use target::{TARGETS, Target};
