//! `slot`: the ways the vault can be opened.

mod add;
mod list;
mod remove;

pub use add::{add_empty, add_passphrase};

use clap::Subcommand;

use crate::common::Context;
use crate::failure::Failure;

/// List, add and remove the ways the vault can be opened
#[derive(Subcommand)]
pub enum Command {
    List(list::Args),
    Add(add::Args),
    Remove(remove::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list::run(context, args),
        Command::Add(args) => add::run(context, args),
        Command::Remove(args) => remove::run(context, args),
    }
}
