//! `unshare`: a share ends.

use tokenvault_proto::DescribeOptions;

use crate::common::Context;
use crate::failure::Failure;

/// End a share: nothing is given out for it any more
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token
    name: String,

    /// With whom it is shared, as 'tokenvault shares' shows it
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
