//! `annotate`: what is known about a token, changed without a new version.

use clap_complete::engine::ArgValueCompleter;
use std::collections::BTreeMap;

use tokenvault_proto::AnnotateOptions;

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse::{self, Attribute};

/// Change what is known about a token; its value and version stay
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// An attribute; may be repeated. All attributes of the token are replaced
    #[arg(long = "attribute", alias = "attributes", value_name = "KEY=VALUE")]
    attributes: Vec<Attribute>,

    /// Take all attributes away
    #[arg(long, conflicts_with = "attributes")]
    no_attributes: bool,

    /// When the current version expires: 2026-12-31T23:59:00Z, a local date (its first moment), @SECONDS, a duration from now, or
    /// never
    #[arg(long, value_name = "TIME", value_parser = parse::time_or_never, allow_hyphen_values = true)]
    expires: Option<u64>,

    /// Media type of the value
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// How many versions are kept, the current one included, 1 to 1000
    #[arg(long, value_name = "COUNT", value_parser = parse::kept_versions, allow_hyphen_values = true)]
    keep_versions: Option<u32>,

    /// Whether readers must name a purpose
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    require_purpose: Option<bool>,

    /// Whose token: machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Makes the change.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let attributes = if args.no_attributes { Some(BTreeMap::new()) } else { parse::collect(args.attributes)? };
    let change = AnnotateOptions {
        owner: None,
        attributes,
        expires: args.expires,
        content_type: args.content_type,
        keep_versions: args.keep_versions,
        require_purpose: args.require_purpose,
    };
    if change == AnnotateOptions::default() {
        return Err(Failure::usage("nothing is to be changed", "see 'tokenvault annotate --help'"));
    }
    context.client()?.annotate(&args.name, &AnnotateOptions { owner: args.owner, ..change })?;
    context.output.done()
}
