//! `rotate`: keys are drawn anew.

mod keyring;
mod slot;
mod user;
mod vk;

use clap::Subcommand;
use tokenvault_client::Client;
use tokenvault_proto::{Findings, RotateOptions};

use crate::common::Context;
use crate::ctl::operation;
use crate::failure::Failure;

/// Draw a key anew that is in use
///
/// Reads and writes go on meanwhile, and nobody has to log in or type a secret. What is interrupted goes on by itself. Old backups
/// and copies of the store are still opened by the keys of their time.
#[derive(Subcommand)]
pub enum Command {
    Slot(slot::Args),
    Vk(vk::Args),
    Keyring(keyring::Args),
    User(user::Args),
}

/// Does what is asked.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Slot(args) => slot::run(context, &args),
        Command::Vk(args) => vk::run(context, &args),
        Command::Keyring(args) => keyring::run(context, &args),
        Command::User(args) => user::run(context, &args),
    }
}

/// Has it done, and waits for that.
fn rotate(context: &Context, client: &Client, what: &str, options: &RotateOptions) -> Result<Findings, Failure> {
    let ended = operation::wait(context, client, client.rotate(what, options)?, "rows sealed anew")?;
    ended.failure.map_or(Ok(ended.findings), Err)
}
