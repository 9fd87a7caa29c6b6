//! `mv`: another name for a token.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::{DescribeOptions, ErrorCode};

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;

/// Rename a token with all its versions
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    from: String,

    /// Its new name, which must be free
    to: String,

    /// Whose token: user:NAME, uid:N, or machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Renames the token.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    context.client()?.rename(&args.from, &args.to, &DescribeOptions { owner: args.owner }).map_err(
        |error| match error.code() {
            ErrorCode::Exists => Failure::new(
                error.code(),
                format_args!("a token '{}' exists already", args.to),
                "choose another name, or delete that one before with 'tokenvault rm'",
            ),
            _ => error.into(),
        },
    )?;
    context.output.done()
}
