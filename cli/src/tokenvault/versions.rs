//! `versions`: what is kept of a token.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_proto::{DescribeOptions, Plain, VersionInfo};

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::output::{Align, Table, bytes, minute, minute_or_never};

/// List the versions of a token, the newest first
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Serialize)]
struct Versions<'a> {
    versions: Vec<Plain<'a, VersionInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut versions = context.client()?.versions(&args.name, &DescribeOptions { owner: args.owner })?;
    versions.sort_by_key(|version| std::cmp::Reverse(version.version));
    if context.output.wants_json() {
        return context.output.json(&Versions { versions: versions.iter().map(Plain).collect() });
    }
    let count = versions.len();
    let noun = if count == 1 { "version" } else { "versions" };
    context.output.table(&table(&versions), &format!("{count} {noun} listed."))
}

fn table(versions: &[VersionInfo]) -> Table {
    let mut table = Table::new(&[
        ("VERSION", Align::Right),
        ("SIZE", Align::Right),
        ("CREATED", Align::Left),
        ("EXPIRES", Align::Left),
        ("CURRENT", Align::Left),
    ]);
    for version in versions {
        table.row([
            version.version.to_string(),
            bytes(version.size),
            minute(version.created),
            minute_or_never(version.expires),
            if version.current { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}
