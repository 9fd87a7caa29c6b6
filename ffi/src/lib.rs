//! libtokenvault: the C ABI over the Rust client. `include/tokenvault.h` is generated from here.
//!
//! One file per C type, and the machinery they share: [`boundary`] (no panic crosses), [`failure`] (code and text),
//! [`input`] and [`options`] (what comes from C is checked before it is believed). Nothing here knows the wire.
//!
//! What a caller in C must keep to is the header's to say, once: a pointer is NULL or points to what its type says and
//! stays valid during the call; strings end with a zero byte; what was freed is not used again. The `SAFETY` lines rest
//! on that.
#![allow(clippy::missing_safety_doc, reason = "the rules are those of the header, said above")]

// The header has the functions in the order of these; the blank lines keep it.
mod client;

pub mod error;

mod token;

mod change;

mod share;

mod offer;

mod issued;

mod value;

mod metadata;

mod list;

mod manager;

mod info;

mod annotate_options;
mod boundary;
mod delete_options;
mod failure;
mod generate_options;
mod get_options;
mod handle;
mod input;
mod issue_options;
mod issued_options;
mod list_options;
mod offer_options;
mod options;
mod put_options;
mod redeem_options;
mod share_options;
mod texts;
mod token_options;
mod validate_options;
