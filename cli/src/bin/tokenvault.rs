//! `tokenvault`: a user's own tokens.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenvault_cli::tokenvault::main()
}
