//! `share`: a token for somebody else too.

use clap_complete::engine::ArgValueCompleter;
use tokenvault_proto::ShareOptions;

use crate::common::Context;
use crate::completion::token_names;
use crate::failure::Failure;
use crate::parse;

/// Share a token with a user or a group of this machine, or a machine token with a unit
///
/// Machine tokens are shared with units by root and administrators, and with users and groups by root alone.
///
/// Whom it is shared with gets it by 'tokenvault get NAME --owner user:YOU', and sees it in 'tokenvault list --shared-with-me'.
/// A unit is given it by LoadCredential= in its file, which names the token and the socket of the vault:
/// LoadCredential=NAME:/run/tokenvault/credentials
#[derive(clap::Args)]
pub struct Args {
    /// Name of the token; without '/' for a unit
    #[arg(add = ArgValueCompleter::new(token_names))]
    name: String,

    /// With whom: user:NAME, uid:N, group:NAME, or unit:NAME.service, an instance by its own name. A share they have already is
    /// replaced
    grantee: String,

    /// What they may do: read, see and fetch it; write, also put new versions, which a unit cannot; these push out the
    /// owner's oldest ones over --keep-versions [default: read]
    #[arg(long, value_name = "PERMISSION", value_parser = ["read", "write"])]
    permission: Option<String>,

    /// When the share ends: 30d, 2026-12-31T23:59:00Z, a local date (its first moment), or @SECONDS; by default with the token
    #[arg(long, value_name = "TIME", value_parser = parse::time_ahead, allow_hyphen_values = true)]
    expires: Option<u64>,

    /// How often it may be used; by default without a limit
    #[arg(long, value_name = "COUNT", value_parser = parse::uses, allow_hyphen_values = true)]
    uses: Option<u32>,

    /// A few words for those it is shared with, one line of at most 1024 bytes
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Whose token: machine, the system's, which root keeps; by default your own
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Shares it.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let Args { name, grantee, permission, expires, uses, note, owner } = args;
    context.client()?.share(&name, &grantee, &ShareOptions { owner, permission, expires, uses, note })?;
    context.output.done()
}
