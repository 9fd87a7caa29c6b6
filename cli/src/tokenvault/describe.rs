//! `describe`: everything about a token but its value.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::{DescribeOptions, Plain, TokenInfo};

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::output::{Fields, bytes, escape, moment, moment_or_never};

/// Show everything about a token but its value
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Prints the description.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let token = context
        .client()?
        .describe(&args.name, &DescribeOptions { owner: args.owner.clone() })
        .map_err(|error| Failure::of_owner(args.owner.as_deref(), error))?;
    if context.output.wants_json() {
        return context.output.json(&Plain(&token));
    }
    context.output.fields(&fields(&token))
}

fn fields(token: &TokenInfo) -> Fields {
    let mut fields = Fields::default();
    fields.add("Name", &token.name);
    fields.add("Owner", &token.owner);
    fields.add("Permission", &token.permission);
    fields.add("Note", token.note.as_deref().unwrap_or_default());
    fields.add("Version", token.version.to_string());
    fields.add("Size", bytes(token.size));
    fields.add("Class", &token.class);
    fields.add("Content type", &token.content_type);
    fields.add("Created", moment(token.created));
    fields.add("Updated", moment(token.updated));
    fields.add("Expires", moment_or_never(token.expires));
    fields.add("Shared", yes_or_no(token.shared));
    fields.add("Purpose needed", yes_or_no(token.require_purpose));
    for (key, value) in &token.attributes {
        fields.add("Attribute", format!("{}={}", escape(key), escape(value)));
    }
    fields
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
