//! `tokenvaultctl`: the vault itself. One file per subcommand: its options, and what it does with them.

mod audit;
mod backup;
mod cleanup;
mod config;
mod consent;
mod credential;
mod daemon;
mod doctor;
mod init;
mod interrupt;
mod lockdown;
mod metrics;
mod notify;
mod operation;
mod recover;
mod reload;
mod rotate;
mod seal;
mod selftest;
mod slot;
mod unseal;
mod user;
mod verify;

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
  tokenvaultctl slot add tpm2        # with another TPM: it opens the vault from now on
  tokenvaultctl backup create FILE   # everything, for who has the recovery key";

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
    Selftest(selftest::Args),
    #[command(subcommand)]
    Slot(slot::Command),
    Seal(seal::Args),
    Unseal(unseal::Args),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Rotate(rotate::Command),
    Verify(verify::Args),
    Recover(recover::Args),
    #[command(subcommand)]
    Backup(backup::Command),
    Lockdown(lockdown::Args),
    #[command(subcommand)]
    User(user::Command),
    Cleanup(cleanup::Args),
    #[command(subcommand)]
    Credential(credential::Command),
    Metrics(metrics::Args),
    Notify(notify::Args),
    Reload(reload::Args),
    #[command(subcommand)]
    Config(config::Command),
    Completion(completion::Args),
}

impl Command {
    /// Whether it does what root alone may, or whoever an administrator permits it.
    const fn may_need_consent(&self) -> bool {
        if let Self::Backup(command) = self {
            return command.asks_daemon();
        }
        !matches!(
            self,
            Self::Status(_)
                | Self::Doctor(_)
                | Self::Selftest(_)
                | Self::Metrics(_)
                | Self::Config(_)
                | Self::Completion(_)
        )
    }
}

/// The command line, for manual pages and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    completion::answer(command);
    program::run(NAME, dispatch)
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let mut common = cli.common;
    let may_need_consent = cli.command.may_need_consent();
    if may_need_consent {
        common.address = consent::door(common.address);
    }
    let context = Context::new(NAME, common);
    let _asks = (may_need_consent && consent::is_for_polkit(context.named_door().as_ref())).then(consent::Agent::start);
    match cli.command {
        Command::Init(args) => init::run(&context, args),
        Command::Status(args) => status::run(&context, args),
        Command::Doctor(args) => doctor::run(&context, args),
        Command::Selftest(args) => selftest::run(&context, args),
        Command::Slot(command) => slot::run(&context, command),
        Command::Seal(args) => seal::run(&context, args),
        Command::Unseal(args) => unseal::run(&context, args),
        Command::Audit(command) => audit::run(&context, command),
        Command::Recover(args) => recover::run(&context, args),
        Command::Lockdown(args) => lockdown::run(&context, args),
        Command::Rotate(command) => rotate::run(&context, command),
        Command::Verify(args) => verify::run(&context, args),
        Command::Backup(command) => backup::run(&context, command),
        Command::User(command) => user::run(&context, command),
        Command::Cleanup(args) => cleanup::run(&context, args),
        Command::Credential(command) => credential::run(&context, command),
        Command::Metrics(args) => metrics::run(&context, args),
        Command::Notify(args) => notify::run(&context, args),
        Command::Reload(args) => reload::run(&context, args),
        Command::Config(command) => config::run(&context, command),
        Command::Completion(args) => completion::run(&context, args, NAME),
    }
}
