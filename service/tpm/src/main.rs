//! The TPM worker: reads one request from the socket that is its standard input, answers it there, exits.
//!
//! Started by the daemon for every operation, so that whatever libtss2 leaves in memory, or does with a malformed answer
//! of the chip, ends with this process.

mod worker;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The daemon reads its signals from a descriptor and has blocked them, which a program inherits.
    let _ = nix::sys::signal::SigSet::all().thread_unblock();
    match worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // Nobody is left to tell when standard error is gone as well.
            let _ = writeln!(std::io::stderr(), "tokenvault-tpm: {text}");
            ExitCode::FAILURE
        }
    }
}
