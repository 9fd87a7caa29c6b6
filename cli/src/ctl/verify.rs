//! `verify`: whether the store is as the vault wrote it.

use serde::Serialize;
use tokenvault_proto::Findings;

use crate::common::Context;
use crate::ctl::operation;
use crate::failure::Failure;

/// Verify that nobody else than the vault has changed the store
///
/// Reads the slots, every row and the audit log. What was removed, added or put back takes the vault out of service. The daemon
/// verifies the rows by itself whenever the vault is opened.
#[derive(clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Verified<'a> {
    ok: bool,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Verifies, and says how that went.
pub fn run(context: &Context, Args {}: Args) -> Result<(), Failure> {
    let client = context.client()?;
    let ended = operation::wait(context, &client, client.verify()?, "rows and records verified")?;
    if context.output.wants_json() {
        // A store that is not as it was written is an answer too.
        context.output.json(&Verified { ok: ended.failure.is_none(), findings: &ended.findings })?;
    } else if ended.failure.is_none() {
        let number = |key| ended.findings.number(key).unwrap_or_default();
        let (rows, records) = (number("rows"), number("records"));
        context
            .output
            .line(&format!("{rows} rows and {records} records of the audit log are as the vault wrote them"))?;
    }
    ended.failure.map_or(Ok(()), Err)
}
