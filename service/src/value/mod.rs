//! Values on their way in and out: by pipe, never inline.
//!
//! A value inside a D-Bus message would leave copies in the bus daemon, in the service and in the client. A pipe leaves
//! none. This room knows descriptors and secret memory; it knows no caller's rights, no store and no D-Bus.

pub mod incoming;
pub mod outgoing;
mod share;

pub use incoming::{EmptyValue, IncomingLimits, ReceiveError, Room, receive};
pub use outgoing::{PipeLimits, Pipes, Post, Reservation, SendError};
pub use share::{OverShare, Share};
