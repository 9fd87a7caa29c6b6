//! The TPM worker, seen from the daemon: one process per operation, a socket pair, a deadline.
//!
//! Nothing here knows a TPM command. It starts the program, asks one question, is strict about the answer, and ends the
//! program whichever way that went.

mod heard;
mod process;
mod sealer;

pub use heard::HeardSealer;
pub use sealer::{DEADLINE, WorkerSealer};
