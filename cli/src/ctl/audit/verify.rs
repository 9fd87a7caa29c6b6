//! `audit verify`: whether the log is as it was written.

use serde::Serialize;
use tokenvault_proto::{Findings, VerifyAuditOptions};

use crate::common::Context;
use crate::ctl::operation;
use crate::failure::Failure;
use crate::parse::{self, Mark};

/// Verify that no record of the audit log was changed, dropped or moved
///
/// Names the first bad record. That the end of the log was cut off is found with --against: the journal is told the newest
/// record every 15 minutes, see 'journalctl MESSAGE_ID=0a8bdad12ede47edb4515092cb7e3c48'.
#[derive(clap::Args)]
pub struct Args {
    /// Hold the log against this record, as the journal tells it
    #[arg(long, value_name = "SEQ:CHAIN", value_parser = parse::mark, allow_hyphen_values = true)]
    against: Option<Mark>,
}

#[derive(Serialize)]
struct Verified<'a> {
    ok: bool,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Verifies, and says how that went.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (seq, chain) = args.against.map(|mark| (mark.seq, mark.chain)).unzip();
    let client = context.client()?;
    let id = client.verify_audit(&VerifyAuditOptions { seq, chain })?;
    let ended = operation::wait(context, &client, id, "records verified")?;
    if context.output.wants_json() {
        // A log that is not as it was written is an answer too.
        if ended.failure.is_none() || ended.findings.number("first-bad").is_some() {
            context.output.json(&Verified { ok: ended.failure.is_none(), findings: &ended.findings })?;
        }
    } else if ended.failure.is_none() {
        context.output.line(&told(&ended.findings, seq))?;
    }
    ended.failure.map_or(Ok(()), Err)
}

fn told(findings: &Findings, against: Option<u64>) -> String {
    let number = |key| findings.number(key).unwrap_or_default();
    let (records, first, last) = (number("records"), number("first"), number("last"));
    let mut line = format!("{records} records are as they were written, {first} to {last}");
    match against {
        Some(seq) if seq < first => {
            line.push_str(&format!("; record {seq} was let go since and could not be held against the log"));
        }
        Some(seq) => line.push_str(&format!("; record {seq} is the one of the journal")),
        None => {}
    }
    line
}
