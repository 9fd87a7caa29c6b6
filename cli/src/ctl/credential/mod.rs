//! `credential`: what units are given when they start.

mod test;

use clap::Subcommand;

use crate::common::Context;
use crate::failure::Failure;

/// Examine what units are given by LoadCredential=ID:/run/tokenvault/credentials
#[derive(Subcommand)]
pub enum Command {
    Test(test::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Test(args) => test::run(context, args),
    }
}
