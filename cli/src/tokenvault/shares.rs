//! `shares`: with whom a token is shared.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_proto::{DescribeOptions, Plain, ShareInfo};

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::output::{Align, Table, escape, minute, minute_or_never};

/// List with whom a token is shared
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Whose token: machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Serialize)]
struct Shares<'a> {
    shares: Vec<Plain<'a, ShareInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut shares = context.client()?.shares(&args.name, &DescribeOptions { owner: args.owner })?;
    shares.sort_by(|a, b| a.grantee.cmp(&b.grantee));
    if context.output.wants_json() {
        return context.output.json(&Shares { shares: shares.iter().map(Plain).collect() });
    }
    let count = shares.len();
    context.output.table(&table(&shares), &format!("{count} {} listed.", if count == 1 { "share" } else { "shares" }))
}

fn table(shares: &[ShareInfo]) -> Table {
    let mut table = Table::new(&[
        ("GRANTEE", Align::Left),
        ("PERMISSION", Align::Left),
        ("CREATED", Align::Left),
        ("EXPIRES", Align::Left),
        ("USES LEFT", Align::Right),
        ("NOTE", Align::Left),
    ]);
    for share in shares {
        table.row([
            escape(&share.grantee),
            escape(&share.permission),
            minute(share.created),
            minute_or_never(share.expires),
            share.uses_left.map_or_else(|| "any".to_owned(), |uses| uses.to_string()),
            escape(share.note.as_deref().unwrap_or_default()),
        ]);
    }
    table
}
