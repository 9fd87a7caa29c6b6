//! `tokenvaultctl`: the vault itself, for administrators.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenvault_cli::ctl::main()
}
