//! `doctor`: what is wrong with the vault of this machine, and the command that mends it.
//!
//! Facts are gathered once; each check is a pure function of them.

mod checks;
mod facts;
mod installed;
mod modes;

use serde::{Serialize, Serializer};

use self::facts::Facts;
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape};
use crate::sudo::as_typed;

/// Examine the vault, and say how to mend what is wrong
///
/// The exit status is 1 when a check failed; warnings do not count. 'modes' is who owns and may write store, settings and the
/// program of tokenvault-notify.service; 'config' is what 'config check' says of the files as they are now, whether or not a daemon
/// has read them or runs. As root it also looks at slots, quotas, users and who was deleted.
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
    let mut checks = checks::run_all(&facts);
    for finding in &mut checks {
        finding.fix = as_typed(&finding.fix);
    }
    let ok = checks.iter().all(|finding| finding.result != Verdict::Failed);
    if context.output.wants_json() {
        context.output.json(&Report { ok, checks })?;
    } else {
        context.output.table(&table(&checks, context.output.is_terminal()), &summary(&checks))?;
    }
    if ok { Ok(()) } else { Err(Failure::Silent(1)) }
}

/// A row for each finding; for people what to do stands below what was found, for programs in a column of its own.
fn table(findings: &[Finding], folded: bool) -> Table {
    const COLUMNS: [(&str, Align); 4] =
        [("CHECK", Align::Left), ("RESULT", Align::Left), ("WHAT WAS FOUND", Align::Left), ("WHAT TO DO", Align::Left)];
    let (folded_columns, _) = COLUMNS.split_at(3);
    let mut table = Table::new(if folded { folded_columns } else { &COLUMNS });
    for Finding { check, result, message, fix } in findings {
        let (message, fix) = (escape(message), escape(fix));
        let first = [(*check).to_owned(), result.word().to_owned()];
        let last = match (folded, fix.is_empty()) {
            (false, _) => vec![message, fix],
            (true, true) => vec![message],
            (true, false) => vec![format!("{message}\n-> {fix}")],
        };
        table.row(first.into_iter().chain(last));
    }
    table
}

/// How many checks ended how.
fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.result == verdict).count();
    let (failed, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
    format!("{failed} failed, {warnings} to look at, {} checked.", findings.len())
}
