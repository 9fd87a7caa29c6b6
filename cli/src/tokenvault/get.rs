//! `get`: a value out of the vault.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::GetOptions;

use super::show;
use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Write a value to standard output, byte for byte
///
/// Nothing is added to the value. One of more than 64 KiB is written as it comes: where the command fails, a part of it may have been
/// written. With --json the metadata is printed too, and the value as "value", or as "value-base64"
/// when it is not text.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Write the value even when standard output is a terminal
    #[arg(long)]
    reveal: bool,

    /// Write a line feed after the value, as is done on a terminal
    #[arg(long)]
    newline: bool,

    /// This version instead of the current one
    #[arg(long, value_name = "N", visible_alias = "version-number", value_parser = parse::version)]
    #[arg(allow_hyphen_values = true)]
    version: Option<u64>,

    /// What the value is wanted for; written to the audit log
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,

    /// The program that asks; written to the audit log, grants nothing
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Writes the value.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    show::check_may_be_seen(context, args.reveal, "--reveal")?;
    let owner = args.owner.clone();
    let options = GetOptions { owner: args.owner, version: args.version, purpose: args.purpose, app: args.app };
    let value = context.client()?.get_stream(&args.name, &options).map_err(|error| match args.version {
        Some(_) => Failure::of_version(&args.name, args.version, error),
        None => Failure::of_owner(owner.as_deref(), error),
    })?;
    show::write_stream(context, value, args.newline)
}
