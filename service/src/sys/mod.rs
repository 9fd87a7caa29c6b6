//! The kernel, as far as the standard library and `nix` do not reach it safely.
//!
//! The one place of the daemon where `unsafe` may stand. Everything handed out is safe to call: owned descriptors, copied
//! numbers, slices that keep their memory alive. No policy, no protocol, no waiting.

pub mod arena;
pub mod listen;
pub mod manager;
pub mod peer;
pub mod pipe;
pub mod process;
pub mod ready;
pub mod socket;

pub use arena::{ArenaStatus, LockedArena};
