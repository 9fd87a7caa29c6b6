//! `rm`: a token, or one version of it, deleted for good.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::DeleteOptions;

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Delete a token with all its versions, or one version
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Only this version
    #[arg(long, value_name = "N", visible_alias = "version-number", value_parser = parse::version)]
    #[arg(allow_hyphen_values = true)]
    version: Option<u64>,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Deletes it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let options = DeleteOptions { owner: args.owner, version: args.version };
    context
        .client()?
        .delete(&args.name, &options)
        .map_err(|error| Failure::of_version(&args.name, args.version, error))?;
    context.output.done()
}
