//! `rollback`: an old value becomes the current one again, as a new version.

use serde::Serialize;
use tokenvault_proto::DescribeOptions;

use crate::common::Context;
use crate::failure::Failure;

/// Make an old version the current one, as a new version whose number is printed
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    name: String,

    /// The version to go back to
    version: u64,

    /// Whose token: user:NAME, uid:N or machine; by default your own
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
    let version = context.client()?.rollback(&args.name, args.version, &options)?;
    if context.output.wants_json() {
        return context.output.json(&RolledBack { name: &args.name, version });
    }
    context.output.line(&version.to_string())
}
