//! The two commands, `tokenvault` and `tokenvaultctl`.
//!
//! Everything about tokens is decided by the daemon; a command parses, asks, calls and prints. It never takes a secret from
//! its arguments or its environment, and never writes one anywhere but where the user said.
#![deny(unsafe_code)]

pub mod ctl;
pub mod tokenvault;

mod common;
mod completion;
mod failure;
mod input;
mod output;
mod parse;
mod passphrase;
mod program;
mod recovery;
mod secret;
mod status;
mod sys;
mod usage;
