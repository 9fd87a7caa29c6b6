//! `user freeze`: a user was deleted. Called by the hook of userdel, which takes the status of a user whom the vault does not
//! have for what it is: there is nothing to freeze.

use std::io::{self, IsTerminal as _};

use tokenvault_client::Client;
use tokenvault_proto::{ErrorCode, UserInfo};

use super::{confirm, find};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::escape;

/// Freeze the tokens of a user who was deleted: whoever has the uid next gets none of them
///
/// What others share with the user ends, and is not shared again by what ends the freeze: 'user adopt' or 'user purge'. userdel
/// and deluser do this by themselves on an installed system.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid
    user: String,

    /// Do not ask at the terminal about a user who is still there
    #[arg(long, short)]
    yes: bool,
}

/// Freezes every user of that name who is gone: which of them it was, nobody can say any more.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let users = client.users()?;
    let found = find::deleted(&users, &args.user);
    if !args.yes {
        found.iter().filter(|user| find::is_here(user)).try_for_each(|user| confirm(user))?;
    }
    for user in &found {
        client.freeze_user(user.uid)?;
    }
    if found.is_empty() && !freeze_unlisted(&client, find::uid(&args.user))? {
        return Err(Failure::new(
            ErrorCode::NotFound,
            format_args!("the vault has nothing of a user '{}'", args.user),
            "see 'tokenvaultctl user list'",
        ));
    }
    context.output.done()
}

/// Asks where there is somebody to ask: a script that says so means it, and the tokens are kept in any case.
fn confirm(user: &UserInfo) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    let (name, uid) = (escape(&user.user), user.uid);
    let what = format!(
        "{name} (uid {uid}) is still a user of this machine. It will be given none of its tokens until 'tokenvaultctl user \
         adopt {uid}', and what others share with it ends."
    );
    confirm::by_uid(uid, &what)
}

/// Who never stored anything is none the vault lists, and may have been shared with; whether there was anything of him.
fn freeze_unlisted(client: &Client, uid: Option<u32>) -> Result<bool, Failure> {
    let Some(uid) = uid else { return Ok(false) };
    match client.freeze_user(uid) {
        // Of root it says that it cannot be done.
        Err(error) if uid != 0 && error.code() == ErrorCode::InvalidArgs => Ok(false),
        frozen => frozen.map(|()| true).map_err(Failure::from),
    }
}
