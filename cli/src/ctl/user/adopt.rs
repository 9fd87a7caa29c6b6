//! `user adopt`: the tokens of a user who is gone are given to one who is there.

use tokenvault_proto::{AdoptUserOptions, USER_FROZEN};

use super::find;
use crate::common::Context;
use crate::failure::Failure;

/// Give the tokens of a user who is gone to the one who has its uid now, or to another
///
/// A login key goes with them and opens as before, with the old password or the user's recovery code. A role does not, unless
/// uid and name are the same.
#[derive(clap::Args)]
pub struct Args {
    /// Name the user had, or its uid
    user: String,

    /// Who is given the tokens: a user of this machine who has none, by name or uid
    #[arg(long, alias = "to-uid", value_name = "USER")]
    to: Option<String>,
}

/// Gives them.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let users = client.users()?;
    let user = find::the_one(&users, &args.user)?;
    if user.state != USER_FROZEN {
        return Err(Failure::usage(
            format_args!("the user '{}' is not gone: its tokens are not frozen", args.user),
            format_args!("to take them from it all the same, 'tokenvaultctl user freeze {}' first", user.uid),
        ));
    }
    let to_uid = args.to.as_deref().map(find::uid_on_this_machine).transpose()?;
    client.adopt_user(user.uid, &AdoptUserOptions { to_uid })?;
    context.output.done()
}
