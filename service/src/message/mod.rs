//! D-Bus messages as bytes (D-Bus specification, "Message Format"), for both doors: what comes over a socket before zbus sees
//! it, how much of it must be known by then, and what goes out in place of a reply.
//!
//! This room knows neither callers nor tokens.

pub(crate) mod called;
pub(crate) mod fields;
pub(crate) mod header;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod refusal;

pub use called::Called;
