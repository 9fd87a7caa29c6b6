//! `user`: whom the vault knows, what they may do, and what becomes of the tokens of those who are gone.

mod adopt;
mod confirm;
mod find;
mod freeze;
mod list;
mod purge;
mod set;
mod show;

use clap::Subcommand;
use tokenvault_client::Client;

use crate::common::Context;
use crate::failure::Failure;

/// See users, say what they may do, and what becomes of the tokens of those who are gone
///
/// USER is the name that a user had when the vault took it in, or a uid.
#[derive(Subcommand)]
pub enum Command {
    List(list::Args),
    Show(show::Args),
    Set(set::Args),
    Disable(set::Disable),
    Enable(set::Enable),
    Freeze(freeze::Args),
    Adopt(adopt::Args),
    Purge(purge::Args),
}

/// The uid that a word means, of a user the vault or this machine knows.
pub fn uid_of(client: &Client, word: &str) -> Result<u32, Failure> {
    find::uid_of(&client.users()?, word)
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Set(args) => set::run(context, args),
        Command::Disable(args) => set::disable(context, args),
        Command::Enable(args) => set::enable(context, args),
        Command::Freeze(args) => freeze::run(context, args),
        Command::Adopt(args) => adopt::run(context, args),
        Command::Purge(args) => purge::run(context, args),
    }
}
