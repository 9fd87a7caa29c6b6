//! `user show`: what the vault knows of one user.

use tokenvault_proto::{Plain, UserInfo};

use super::{find, list};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Fields, bytes, minute};

/// Show what the vault knows of a user
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid
    user: String,
}

/// Prints it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let users = context.client()?.users()?;
    let user = find::the_one(&users, &args.user)?;
    if context.output.wants_json() {
        return context.output.json(&Plain(user));
    }
    context.output.fields(&fields(user))
}

fn fields(user: &UserInfo) -> Fields {
    let limit = |quota: u64, shown: fn(u64) -> String| if quota == 0 { "no limit".to_owned() } else { shown(quota) };
    let mut fields = Fields::default();
    fields.add("User", &user.user);
    fields.add("UID", user.uid.to_string());
    fields.add("Role", format!("{} ({})", user.role, list::role_from(user)));
    fields.add("State", list::state(user));
    fields.add("Tokens", format!("{} of {}", user.tokens, limit(user.quota_tokens, |count| count.to_string())));
    fields.add("Size", format!("{} of {}", bytes(user.bytes), limit(user.quota_bytes, bytes)));
    fields.add("Last seen", user.last_seen.map(minute).unwrap_or_default());
    if find::is_frozen(user) {
        let next = format!("'tokenvaultctl user adopt {0}', or 'tokenvaultctl user purge {0}'", user.uid);
        fields.add("Next step", next);
    }
    fields
}
