//! `rotate keyring`: the keys under the vault key.

use tokenvault_proto::RotateOptions;

use super::rotate;
use crate::common::Context;
use crate::failure::Failure;

/// Draw the keys under the vault key anew
///
/// They seal the records and keys of users, the wrappers of login keys, the audit log, the keys of slots and what is kept of issued
/// tokens; all of it is sealed anew as far as the vault itself can. Nobody has to log in, issued tokens stay valid, and the audit log goes
/// on. A key of before is kept for what still needs it: issued tokens until they end, audit records until they are deleted, a login key
/// until its user logs in, and its recovery code until it is used. It goes with the next rotation after that, or when the vault is opened
/// the next time. So there always is a key of before of the audit log, as long as that has older records, and at most 128 of each. A
/// rotation that has not ended is finished first. The keys by which rows are found, and by which removed and old rows are noticed, stay as
/// they are.
#[derive(clap::Args)]
pub struct Args {}

/// Has them drawn.
pub fn run(context: &Context, Args {}: &Args) -> Result<(), Failure> {
    let findings = rotate(context, &context.client()?, "keyring", &RotateOptions::default())?;
    if context.output.wants_json() {
        return context.output.json(&findings);
    }
    let number = |key| findings.number(key).unwrap_or_default();
    context.output.line(&format!("{} rows sealed anew", number("rows")))?;
    if number("kept") > 0 {
        let (kept, keys) = (number("kept"), if number("kept") == 1 { "key" } else { "keys" });
        context
            .output
            .note(&format!("{kept} {keys} of before still needed: by issued tokens, audit records or logins"));
    }
    Ok(())
}
