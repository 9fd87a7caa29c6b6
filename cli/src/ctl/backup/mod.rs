//! `backup`: everything in the vault, for who has a recovery key.

mod create;
mod faults;
mod file;
mod key;
mod list;
mod restore;
mod shelf;
mod verify;

use clap::Subcommand;

use crate::common::Context;
use crate::failure::Failure;

/// Make, look at and restore backups of the whole vault
///
/// A backup holds all tokens, versions, shares, issued tokens and the audit log, encrypted to the recovery keys of the vault. Making one
/// needs no secret; restoring one needs a recovery key and nothing else, on any machine.
#[derive(Subcommand)]
pub enum Command {
    Create(create::Args),
    List(list::Args),
    Verify(verify::Args),
    Restore(restore::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(args) => create::run(context, args),
        Command::List(args) => list::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Restore(args) => restore::run(context, args),
    }
}

impl Command {
    /// Whether it asks the daemon.
    pub const fn asks_daemon(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Restore(_))
    }
}
