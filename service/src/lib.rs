//! The vault daemon.
//!
//! The rooms, in the direction a call flows: `door` and `bus` take it in, `caller` says who asks, the domain decides, the
//! store keeps. Only `startup` knows the concrete types.

pub mod door;
pub mod sys;
pub mod tpm;
pub mod value;
