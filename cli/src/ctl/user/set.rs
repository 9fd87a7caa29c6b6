//! `user set`, `user disable`, `user enable`: what a user may do.

use clap::ValueEnum;
use tokenvault_proto::{ROLE_AS_CONFIGURED, SetUserOptions};

use super::find;
use crate::common::Context;
use crate::failure::Failure;
use crate::parse;

/// Change what a user may do, from its next call on
///
/// A user of this machine whom the vault does not know yet is taken in.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid
    user: String,

    /// What it may do
    #[arg(long)]
    role: Option<Role>,

    /// Most tokens it may have: a number, 'off' or 'default'
    #[arg(long, value_name = "COUNT", value_parser = parse::quota, allow_hyphen_values = true)]
    quota_tokens: Option<u64>,

    /// Most bytes it may store: a number, 'off' or 'default'
    #[arg(long, value_name = "BYTES", value_parser = parse::quota, allow_hyphen_values = true)]
    quota_bytes: Option<u64>,
}

/// Disable a user: nothing is given to it, nothing taken from it, and its tokens are kept
#[derive(clap::Args)]
pub struct Disable {
    /// Name of the user, or a uid
    user: String,
}

/// Enable a user who was disabled
#[derive(clap::Args)]
pub struct Enable {
    /// Name of the user, or a uid
    user: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Reads what is its own or shared with it
    Consumer,
    /// Also stores, shares and issues
    Developer,
    /// Reads like a consumer, and the audit log; stores and shares nothing
    Auditor,
    /// Also administers, the audit log included, where polkit permits it
    Admin,
    /// What the configuration gives: to its name, its groups, or to everybody
    Default,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Developer => "developer",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
            Self::Default => ROLE_AS_CONFIGURED,
        }
    }
}

/// Changes it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let Args { user, role, quota_tokens, quota_bytes } = args;
    if role.is_none() && quota_tokens.is_none() && quota_bytes.is_none() {
        return Err(Failure::usage("nothing is to be changed", "name --role, --quota-tokens or --quota-bytes"));
    }
    let role = role.map(|role| role.as_str().to_owned());
    set(context, &user, SetUserOptions { role, active: None, quota_tokens, quota_bytes })
}

/// Disables a user.
pub fn disable(context: &Context, args: Disable) -> Result<(), Failure> {
    set(context, &args.user, SetUserOptions { active: Some(false), ..SetUserOptions::default() })
}

/// Enables a user.
pub fn enable(context: &Context, args: Enable) -> Result<(), Failure> {
    let client = context.client()?;
    let users = client.users()?;
    let uid = find::uid_of(&users, &args.user)?;
    // Of one that is disabled too, this half is done.
    if users.iter().any(|user| user.uid == uid && user.active && find::is_frozen(user)) {
        return Err(Failure::usage(
            format_args!("the user '{}' is frozen, and not disabled: this would give it nothing", args.user),
            format_args!("'tokenvaultctl user adopt {uid}' gives its tokens to who has the uid now"),
        ));
    }
    client.set_user(uid, &SetUserOptions { active: Some(true), ..SetUserOptions::default() })?;
    context.output.done()
}

fn set(context: &Context, user: &str, options: SetUserOptions) -> Result<(), Failure> {
    let client = context.client()?;
    let uid = find::uid_of(&client.users()?, user)?;
    client.set_user(uid, &options)?;
    context.output.done()
}
