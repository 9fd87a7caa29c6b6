//! `revoke`: what was issued is good for nothing any more.

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use tokenvault_proto::ErrorCode;

use super::filter::FilterArgs;
use crate::common::Context;
use crate::completion::issued_ids;
use crate::failure::Failure;

/// Revoke what you issued, or withdraw an offer, by its id; or with --all everything that the other options mean
#[derive(clap::Args)]
pub struct Args {
    /// Id of what is revoked; 'tokenvault issued' shows it
    #[arg(add = ArgValueCompleter::new(issued_ids), conflicts_with = "all")]
    id: Option<String>,

    /// Revoke all, or all that the options below mean, and print how many that were
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Serialize)]
struct Revoked {
    count: u64,
}

/// Revokes it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if let Some(id) = args.id {
        if !args.filter.is_empty() {
            return Err(Failure::usage("an id and a filter are given", "give an id, or --all with a filter"));
        }
        context.client()?.revoke(&id).map_err(|error| match error.code() {
            ErrorCode::NotFound => {
                Failure::new(error.code(), "nothing of yours that is still good has this id", "see 'tokenvault issued'")
            }
            _ => error.into(),
        })?;
        return context.output.done();
    }
    if !args.all {
        return Err(Failure::usage(
            "no id is given",
            "give an id, or --all for everything that the other options mean",
        ));
    }
    let count = context.client()?.revoke_all(&args.filter.into_options())?;
    if context.output.wants_json() {
        return context.output.json(&Revoked { count });
    }
    context.output.line(&count.to_string())
}
