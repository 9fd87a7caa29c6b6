//! `audit`: who did what with which token.

mod export;
mod filter;
mod list;
mod verify;

use clap::Subcommand;

use crate::common::Context;
use crate::failure::Failure;

/// Read, verify and export the audit log
#[derive(Subcommand)]
pub enum Command {
    List(list::Args),
    Verify(verify::Args),
    Export(export::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Export(args) => export::run(context, args),
    }
}
