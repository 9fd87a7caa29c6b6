//! `doctor`: what is wrong with the vault of this machine, and the command that mends it.
//!
//! Facts are gathered once; each check is a pure function of them.

mod checks;
mod facts;

use serde::{Serialize, Serializer};

use self::facts::Facts;
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape};

/// Examine the vault, and say how to mend what is wrong
///
/// The exit status is 1 when a check failed; warnings do not count.
#[derive(clap::Args)]
pub struct Args {}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warning,
    /// It does not work.
    Failed,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What a check found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    check: &'static str,
    result: Verdict,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Finding>,
}

/// Examines everything.
pub fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let facts = Facts::gather(context);
    let checks = checks::run_all(&facts);
    let ok = checks.iter().all(|finding| finding.result != Verdict::Failed);
    if context.output.wants_json() {
        context.output.json(&Report { ok, checks })?;
    } else {
        context.output.table(&table(&checks), if ok { "Nothing failed." } else { "Something failed." })?;
    }
    if ok { Ok(()) } else { Err(Failure::Silent(1)) }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(&[
        ("CHECK", Align::Left),
        ("RESULT", Align::Left),
        ("WHAT WAS FOUND", Align::Left),
        ("WHAT TO DO", Align::Left),
    ]);
    for finding in findings {
        table.row([
            finding.check.to_owned(),
            finding.result.word().to_owned(),
            escape(&finding.message),
            escape(&finding.fix),
        ]);
    }
    table
}
