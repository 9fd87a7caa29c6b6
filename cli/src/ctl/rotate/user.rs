//! `rotate user`: the key of what one user has.

use serde::Serialize;
use tokenvault_proto::{Findings, RotateOptions};

use super::rotate;
use crate::common::Context;
use crate::ctl::user::uid_of;
use crate::failure::Failure;

/// Draw the key of a user's tokens anew
///
/// It seals the names and attributes of all of a user's tokens, and the keys of the values of class 'machine'; all of it is sealed anew.
/// With --reencrypt each value gets a new key of its own as well, of class 'login' only while the user is logged in. The user's login
/// key stays as it is.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the user, or a uid; 'root' has the machine's tokens
    user: String,

    /// Encrypt the values anew, too
    #[arg(long)]
    reencrypt: bool,
}

#[derive(Serialize)]
struct Rotated<'a> {
    uid: u32,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Has it drawn.
pub fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let client = context.client()?;
    let uid = uid_of(&client, &args.user)?;
    let options = RotateOptions { uid: Some(uid), reencrypt: Some(args.reencrypt), ..RotateOptions::default() };
    let findings = rotate(context, &client, "user", &options)?;
    if context.output.wants_json() {
        return context.output.json(&Rotated { uid, findings: &findings });
    }
    let number = |key| findings.number(key).unwrap_or_default();
    let values = if args.reencrypt { format!(", {} values encrypted anew", number("values")) } else { String::new() };
    context.output.line(&format!("{} rows sealed anew{values}", number("rows")))?;
    if number("locked") > 0 {
        let locked = number("locked");
        context
            .output
            .note(&format!("{locked} values of class 'login' were not: run it again while the user is logged in"));
    }
    Ok(())
}
