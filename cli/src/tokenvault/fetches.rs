//! `fetches`: who fetched a token.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::{FetchInfo, FetchesOptions, PAGE_MAX, Plain};

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::output::{Align, Table, escape, minute};
use crate::parse;

/// Rows that are listed when nothing is said.
const LIMIT: u32 = 100;

/// List who fetched a token, the newest first
///
/// Fetches that are alike and within a second are one row, with their number. How long they are kept is a setting of the audit log.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// At most this many rows, 100 when nothing is said
    #[arg(long, value_name = "COUNT", value_parser = parse::records, allow_hyphen_values = true)]
    limit: Option<u32>,

    /// Whose token: machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Serialize)]
struct Fetches<'a> {
    fetches: Vec<Plain<'a, FetchInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let fetches = collect(&context.client()?, args)?;
    if context.output.wants_json() {
        return context.output.json(&Fetches { fetches: fetches.iter().map(Plain).collect() });
    }
    let count = fetches.len();
    let footer = format!("{count} {} listed.", if count == 1 { "row" } else { "rows" });
    context.output.table(&table(&fetches), &footer)
}

fn collect(client: &Client, args: Args) -> Result<Vec<FetchInfo>, Failure> {
    let most = usize::try_from(args.limit.unwrap_or(LIMIT)).unwrap_or(usize::MAX);
    let (mut fetches, mut after) = (Vec::new(), None);
    while fetches.len() < most {
        let limit = u32::try_from(most - fetches.len()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let options = FetchesOptions { owner: args.owner.clone(), limit: Some(limit), after };
        let (page, next) = client.fetches(&args.name, &options)?;
        fetches.extend(page);
        if next.is_empty() {
            break;
        }
        after = Some(next);
    }
    Ok(fetches)
}

fn table(fetches: &[FetchInfo]) -> Table {
    let mut table = Table::new(&[
        ("TIME", Align::Left),
        ("UID", Align::Right),
        ("USER", Align::Left),
        ("OPERATION", Align::Left),
        ("VERSION", Align::Right),
        ("COUNT", Align::Right),
        ("DOOR", Align::Left),
        ("APP", Align::Left),
        ("PURPOSE", Align::Left),
        ("UNIT", Align::Left),
    ]);
    for fetch in fetches {
        table.row([
            minute(fetch.time),
            fetch.uid.to_string(),
            escape(&fetch.user),
            escape(&fetch.operation),
            fetch.version.to_string(),
            fetch.count.to_string(),
            escape(&fetch.door),
            escape(&fetch.app),
            escape(&fetch.purpose),
            escape(&fetch.unit),
        ]);
    }
    table
}
