//! `user list`: whom the vault knows.

use serde::Serialize;
use tokenvault_proto::{Plain, USER_FROZEN, UserInfo};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, bytes, escape, minute};

/// List the users the vault knows: those who have stored something or were taken in
///
/// The tokens of a frozen user are kept and nobody is given them: it was deleted, or its uid has another name now. 'user adopt'
/// gives them to somebody, 'user purge' deletes them.
#[derive(clap::Args)]
pub struct Args {
    /// Only users that are frozen
    #[arg(long)]
    frozen: bool,
}

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<Plain<'a, UserInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut users = context.client()?.users()?;
    users.retain(|user| !args.frozen || super::find::is_frozen(user));
    if context.output.wants_json() {
        return context.output.json(&Users { users: users.iter().map(Plain).collect() });
    }
    let count = users.len();
    context.output.table(&table(&users), &format!("{count} {} listed.", if count == 1 { "user" } else { "users" }))
}

fn table(users: &[UserInfo]) -> Table {
    let mut table = Table::new(&[
        ("UID", Align::Right),
        ("USER", Align::Left),
        ("ROLE", Align::Left),
        ("FROM", Align::Left),
        ("STATE", Align::Left),
        ("TOKENS", Align::Right),
        ("SIZE", Align::Right),
        ("LAST SEEN", Align::Left),
    ]);
    for user in users {
        let day = user.last_seen.map(minute).unwrap_or_default();
        table.row([
            user.uid.to_string(),
            escape(&user.user),
            escape(&user.role),
            escape(&user.role_from),
            escape(state(user)),
            user.tokens.to_string(),
            bytes(user.bytes),
            day.split(' ').next().unwrap_or_default().to_owned(),
        ]);
    }
    table
}

/// Where the role of a user is from, in words.
pub fn role_from(user: &UserInfo) -> &str {
    match user.role_from.as_str() {
        "set" => "set by an administrator",
        "default" => "everybody's",
        "root" => "as root",
        rule => rule,
    }
}

/// What keeps a user from its tokens, in a word.
pub fn state(user: &UserInfo) -> &str {
    if user.active || user.state == USER_FROZEN { &user.state } else { "disabled" }
}
