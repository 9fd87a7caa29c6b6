//! `rollback`: an old value becomes the current one again, as a new version.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_proto::DescribeOptions;

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Make an old version the current one, as a new version whose number is printed
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Number of the version to go back to, as 'versions' shows it
    #[arg(value_parser = parse::version, allow_negative_numbers = true)]
    version: u64,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Serialize)]
struct RolledBack<'a> {
    name: &'a str,
    version: u64,
}

/// Makes the new version.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = DescribeOptions { owner: args.owner };
    let version = context
        .client()?
        .rollback(&args.name, args.version, &options)
        .map_err(|error| Failure::of_version(&args.name, Some(args.version), error))?;
    if context.output.wants_json() {
        return context.output.json(&RolledBack { name: &args.name, version });
    }
    context.output.line(&version.to_string())
}
