//! `tokenvaultctl`: the vault itself. One file per subcommand: its options, and what it does with them.

mod config;
mod credential;
mod doctor;
mod init;
mod reload;
mod seal;
mod slot;
mod unseal;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::common::{CommonArgs, Context};
use crate::failure::Failure;
use crate::{completion, program, status};

const NAME: &str = "tokenvaultctl";
const EXAMPLES: &str = "Examples:
  tokenvaultctl init                 # once: the recovery key is made, shown and typed back
  tokenvaultctl status               # what is protected, and what is not
  tokenvaultctl doctor               # what is wrong, and how to mend it
  tokenvaultctl unseal --recovery    # when the TPM does not open the vault
  tokenvaultctl slot add tpm2        # with another TPM: it opens the vault from now on";

/// Set up, open, close and examine the vault of this machine.
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    #[command(subcommand)]
    Slot(slot::Command),
    Seal(seal::Args),
    Unseal(unseal::Args),
    #[command(subcommand)]
    Credential(credential::Command),
    Reload(reload::Args),
    #[command(subcommand)]
    Config(config::Command),
    Completion(completion::Args),
}

/// The command line, for manual pages and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    program::run(NAME, dispatch)
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let context = Context::new(NAME, cli.common);
    match cli.command {
        Command::Init(args) => init::run(&context, args),
        Command::Status(args) => status::run(&context, args),
        Command::Doctor(args) => doctor::run(&context, args),
        Command::Slot(command) => slot::run(&context, command),
        Command::Seal(args) => seal::run(&context, args),
        Command::Unseal(args) => unseal::run(&context, args),
        Command::Credential(command) => credential::run(&context, command),
        Command::Reload(args) => reload::run(&context, args),
        Command::Config(command) => config::run(&context, command),
        Command::Completion(args) => completion::run(&context, args, command(), NAME),
    }
}
