//! `unshare`: a share ends.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::DescribeOptions;

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;

/// End a share: nothing is given out for it any more
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// With whom it is shared, as 'tokenvault shares' shows it, or uid:N; also whoever is no longer there
    grantee: String,

    /// Whose token: machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Ends it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    context.client()?.unshare(&args.name, &args.grantee, &DescribeOptions { owner: args.owner })?;
    context.output.done()
}
