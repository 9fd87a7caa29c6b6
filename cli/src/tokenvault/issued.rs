//! `issued`: what the caller has issued and is still good.

use serde::Serialize;
use tokenvault_client::Client;
use tokenvault_proto::{IssuedInfo, IssuedOptions, PAGE_MAX, Plain};

use super::filter::FilterArgs;
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape, minute};
use crate::parse;

/// List what you issued and is still good: tokens, codes and offers, those first that expire first
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    filter: FilterArgs,

    /// At most so many
    #[arg(long, value_name = "COUNT", value_parser = parse::rows, allow_hyphen_values = true)]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Issued<'a> {
    issued: Vec<Plain<'a, IssuedInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let filter = args.filter.into_options();
    let options = IssuedOptions {
        kind: filter.kind,
        subject: filter.subject,
        audience: filter.audience,
        scopes: filter.scopes,
        limit: Some(PAGE_MAX),
        after: None,
    };
    let mut issued = fetch(&context.client()?, options)?;
    issued.sort_by_key(|info| (info.expires, info.issued));
    if let Some(limit) = args.limit {
        issued.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if context.output.wants_json() {
        return context.output.json(&Issued { issued: issued.iter().map(Plain).collect() });
    }
    context.output.table(&table(&issued), &format!("{} issued.", issued.len()))
}

/// Asks for one page after the other. The vault orders them by day: all must be here before the first by time are known.
fn fetch(client: &Client, mut options: IssuedOptions) -> Result<Vec<IssuedInfo>, Failure> {
    let mut issued = Vec::new();
    loop {
        let (page, next) = client.issued(&options)?;
        // A page without rows may lead on: the vault looks at so many of them in a call.
        let last = next.is_empty() || options.after.as_ref() == Some(&next);
        issued.extend(page);
        if last {
            return Ok(issued);
        }
        options.after = Some(next);
    }
}

fn table(issued: &[IssuedInfo]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("KIND", Align::Left),
        ("ISSUED", Align::Left),
        ("EXPIRES", Align::Left),
        ("USES LEFT", Align::Right),
        ("SUBJECT", Align::Left),
        ("AUDIENCE", Align::Left),
        ("SCOPES", Align::Left),
    ]);
    for info in issued {
        table.row([
            escape(&info.id),
            escape(&info.kind),
            minute(info.issued),
            minute(info.expires),
            info.uses_left.map_or_else(|| "any".to_owned(), |uses| uses.to_string()),
            escape(&info.subject),
            escape(&info.audience),
            escape(&info.scopes.join(" ")),
        ]);
    }
    table
}
