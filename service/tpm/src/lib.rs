//! What the daemon and its TPM worker say to each other, and how a TPM is named.
//!
//! The library is the wire format alone, so that the daemon never links libtss2: that is the worker's, a program of this
//! package which does one operation and exits. libtss2 leaves copies of keys in its heap and trusts lengths it reads from
//! the chip; both end with the worker's process.
//!
//! A message is `length (u32, big-endian) || version || kind || fields`. Secrets stay where the caller put them: both
//! sides encode into, and decode out of, a buffer they own and wipe.
#![forbid(unsafe_code)]

mod tcti;
mod wire;

pub use tcti::{DEFAULT_TCTI, Tcti, TctiError};
pub use wire::{MAX_BODY, MAX_MESSAGE, Operation, PREFIX, Request, Response, SECRET_LEN, VERSION, WireError, body_len};
