//! `user freeze`: a user was deleted. Called by the hook of userdel, so it is no fault when there is nothing to freeze.

use super::find;
use crate::common::Context;
use crate::failure::Failure;

/// Freeze the tokens of a user who was deleted: whoever has the uid next gets none of them
///
/// userdel and deluser do this by themselves on an installed system. 'user adopt' and 'user purge' end it.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid
    user: String,
}

/// Freezes every user of that name who is gone: which of them it was, nobody can say any more.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let users = client.users()?;
    let found = find::deleted(&users, &args.user);
    for user in &found {
        client.freeze_user(user.uid)?;
    }
    match find::uid(&args.user) {
        // Who never stored anything is none the vault lists, and may have been shared with.
        Some(uid) if found.is_empty() => client.freeze_user(uid)?,
        None if found.is_empty() => context.output.note("the vault has nothing of this user"),
        _ => {}
    }
    context.output.done()
}
