//! Values on their way in and out: by pipe, never inline.
//!
//! A value inside a D-Bus message would leave copies in the bus daemon, in the service and in the client. A pipe leaves
//! none. This room knows descriptors, secret memory, and how many descriptors a bus lets lie in it; it knows no message, no
//! caller's rights and no store.

pub mod incoming;
pub mod outgoing;
mod portion;
mod stream;

pub use incoming::{EmptyValue, IncomingLimits, LongValue, ReceiveError, Received, Room, receive, receive_any};
pub use outgoing::{BusPlace, Chunks, Claim, Filled, Next, PipeLimits, Pipes, Reservation, SendError};
pub use portion::{OverPortion, Portion, Portions};
pub use stream::{PipeSink, PipeSource};
