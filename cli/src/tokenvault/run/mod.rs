//! `run`: a command with tokens in its environment or its files.
//!
//! The one place where a value enters an environment, and only on request. Everything is fetched before anything starts;
//! then this process becomes the command, so that signals and the exit status are the command's own.

mod env_file;
mod handover;
mod reference;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tokenvault_client::Client;
use tokenvault_proto::GetOptions;

use self::reference::{Plan, Reference, Use};
use crate::common::Context;
use crate::failure::Failure;

/// Exit statuses of a shell for a command that cannot be started, or does not exist.
const CANNOT_START: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Run a command with tokens in its environment or in files that only it sees
///
/// Nothing is started unless every token could be read. The command replaces this process.
#[derive(clap::Args)]
pub struct Args {
    /// Put the value of token NAME into the environment variable VAR; may be repeated
    #[arg(long = "env", value_name = "VAR=NAME")]
    env: Vec<Reference>,

    /// Put the value of token NAME into a memory file and its path into VAR; may be repeated
    #[arg(long = "file", value_name = "VAR=NAME")]
    file: Vec<Reference>,

    /// Set variables from a file of lines VAR=VALUE or VAR=vault:NAME; may be repeated
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,

    /// What the values are wanted for; written to the audit log
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,

    /// The program that asks; written to the audit log, grants nothing
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// Whose tokens: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Fetches the tokens and becomes the command.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut plan = Plan::default();
    for path in &args.env_file {
        for (variable, what) in env_file::read(path)? {
            plan.set(variable, what);
        }
    }
    plan.add(args.env, Use::Environment)?;
    plan.add(args.file, Use::File)?;

    let mut words = args.command.into_iter();
    let Some(program) = words.next() else {
        return Err(Failure::usage("there is no command to run", "see 'tokenvault run --help'"));
    };
    let options = GetOptions { owner: args.owner, version: None, purpose: args.purpose, app: args.app };
    let mut command = Command::new(&program);
    command.args(words);
    // Kept until the command has taken their place.
    let files = prepare(context, &plan, &options, &mut command)?;
    let error = command.exec();
    drop(files);
    let status = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_START };
    Err(Failure::with_status(
        status,
        format_args!("cannot run '{}': {}", program.display(), crate::failure::describe(&error)),
        "check the command after '--'",
    ))
}

/// Gives the command everything that is planned. The vault is asked only when a token is.
fn prepare(
    context: &Context,
    plan: &Plan,
    options: &GetOptions,
    command: &mut Command,
) -> Result<Vec<std::fs::File>, Failure> {
    let mut client: Option<Client> = None;
    let mut files = Vec::new();
    for (variable, what) in plan.iter() {
        let (name, how) = match what {
            reference::What::Text(text) => {
                command.env(variable, text);
                continue;
            }
            reference::What::Token(name, how) => (name, how),
        };
        let client = match &mut client {
            Some(client) => client,
            none => none.insert(context.client()?),
        };
        let value = client.get(name, options).map_err(|error| Failure::of_token(name, &error))?;
        match how {
            Use::Environment => command.env(variable, handover::text(variable, name, value.data())?),
            Use::File => {
                let file = handover::memory_file(value.data()).map_err(|error| {
                    Failure::io(format_args!("cannot make a file for '{variable}'"), &error, "use --env instead")
                })?;
                let path = handover::path(&file);
                files.push(file);
                command.env(variable, path)
            }
        };
    }
    Ok(files)
}
