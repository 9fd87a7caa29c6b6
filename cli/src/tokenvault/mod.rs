//! `tokenvault`: a user's own tokens. One file per subcommand: its options, and what it does with them.

mod annotate;
mod describe;
mod fetches;
mod filter;
mod follow;
mod generate;
mod get;
mod held_up;
mod issue;
mod issued;
mod list;
mod lock;
mod mv;
mod offer;
mod put;
mod redeem;
mod revoke;
mod rm;
mod rollback;
mod run;
mod share;
mod shares;
mod show;
mod unlock;
mod unshare;
mod validate;
mod versions;
mod whoami;
mod write;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::common::{CommonArgs, Context};
use crate::failure::Failure;
use crate::{completion, program, status};

const NAME: &str = "tokenvault";
const EXAMPLES: &str = "Examples:
  printf %s \"$KEY\" | tokenvault put prod/api-key
  tokenvault get prod/api-key | deploy --key-from-stdin
  tokenvault run --env API_KEY=prod/api-key -- deploy
  tokenvault generate db/password --length 24
  tokenvault list --expires-before 30d";

/// Keep tokens in the vault of this machine, and use them.
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
    Put(put::Args),
    Get(get::Args),
    Generate(generate::Args),
    List(list::Args),
    Describe(describe::Args),
    Annotate(annotate::Args),
    Mv(mv::Args),
    Rm(rm::Args),
    Versions(versions::Args),
    Rollback(rollback::Args),
    Share(share::Args),
    Unshare(unshare::Args),
    Shares(shares::Args),
    Fetches(fetches::Args),
    Offer(offer::Args),
    Redeem(redeem::Args),
    Issue(issue::Args),
    Validate(validate::Args),
    Revoke(revoke::Args),
    Issued(issued::Args),
    Run(run::Args),
    Unlock(unlock::Args),
    Lock(lock::Args),
    Status(status::Args),
    Whoami(whoami::Args),
    Completion(completion::Args),
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
    let context = Context::new(NAME, cli.common);
    match cli.command {
        Command::Put(args) => put::run(&context, args),
        Command::Get(args) => get::run(&context, args),
        Command::Generate(args) => generate::run(&context, args),
        Command::List(args) => list::run(&context, args),
        Command::Describe(args) => describe::run(&context, args),
        Command::Annotate(args) => annotate::run(&context, args),
        Command::Mv(args) => mv::run(&context, args),
        Command::Rm(args) => rm::run(&context, args),
        Command::Versions(args) => versions::run(&context, args),
        Command::Rollback(args) => rollback::run(&context, args),
        Command::Share(args) => share::run(&context, args),
        Command::Unshare(args) => unshare::run(&context, args),
        Command::Shares(args) => shares::run(&context, args),
        Command::Fetches(args) => fetches::run(&context, args),
        Command::Offer(args) => offer::run(&context, args),
        Command::Redeem(args) => redeem::run(&context, args),
        Command::Issue(args) => issue::run(&context, args),
        Command::Validate(args) => validate::run(&context, args),
        Command::Revoke(args) => revoke::run(&context, args),
        Command::Issued(args) => issued::run(&context, args),
        Command::Run(args) => run::run(&context, args),
        Command::Unlock(args) => unlock::run(&context, args),
        Command::Lock(args) => lock::run(&context, args),
        Command::Status(args) => status::run(&context, args),
        Command::Whoami(args) => whoami::run(&context, args),
        Command::Completion(args) => completion::run(&context, args, NAME),
    }
}
