//! `user purge`: everything of a user is deleted.

use tokenvault_proto::UserInfo;

use super::{confirm, find};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::escape;

/// Delete everything of a user for good: tokens, shares, login key, role and quota
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid
    user: String,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Deletes it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let users = client.users()?;
    let user = find::the_one(&users, &args.user)?;
    if !args.yes {
        confirm(user)?;
    }
    client.purge_user(user.uid)?;
    context.output.done()
}

fn confirm(user: &UserInfo) -> Result<(), Failure> {
    let (count, name) = (user.tokens, escape(&user.user));
    let tokens = if count == 1 { "token" } else { "tokens" };
    let what = format!("{count} {tokens} of {name} (uid {}) will be deleted for good.", user.uid);
    confirm::by_uid(user.uid, &what)
}
