//! The harness: a software TPM, a private bus that behaves like the system bus, several real users and the daemon under
//! test, all of them real programs, one set per test.
//!
//! A test starts a [`Vault`], opens clients as [`User`]s through a [`Door`], and says what it expects. Everything lives in
//! one temporary directory and ends with the value that started it. Nothing here sleeps and hopes: a wait has an event and
//! a deadline ([`wait`]). It must run as root, since it is several users at once.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness that cannot do its work ends the test"
)]

pub mod bus;
pub mod c_library;
pub mod config;
pub mod daemon;
pub mod door;
pub mod floor;
mod glibc;
pub mod login_manager;
pub mod memory;
pub mod notify;
pub mod pipe;
pub mod polkit;
pub mod process;
pub mod program;
mod proof;
pub mod raw;
pub mod record;
pub mod search;
pub mod service_manager;
pub mod stage;
pub mod swtpm;
mod sys;
pub mod terminal;
pub mod user;
pub mod vault;
pub mod wait;
pub mod wire;

pub use config::Settings;
pub use daemon::Daemon;
pub use door::{CLibrary, Coded, Door, Entrance, Tokens};
pub use proof::{proof, times};
pub use raw::RawPeer;
pub use service_manager::{Loaded, ServiceManager};
pub use terminal::Terminal;
pub use user::{ALICE, BOB, CAROL, DAEMON, NAMELESS, ROOT, User};
pub use vault::{Builder, Vault};
pub use wire::{Refusal, Wire};
