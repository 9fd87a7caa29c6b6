//! `audit list`: the newest records, for people.

use serde::Serialize;
use tokenvault_proto::{AuditInfo, AuditOptions, PAGE_MAX, Plain};

use super::filter::{Filter, fetch};
use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Align, Table, escape, minute};
use crate::parse;

/// Records that are listed when nothing is said.
const LIMIT: u32 = 100;

/// List records of the audit log, the newest first
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    filter: Filter,

    /// At most this many records, 100 when nothing is said
    #[arg(long, value_name = "COUNT", value_parser = parse::records, allow_hyphen_values = true)]
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Records<'a> {
    records: Vec<Plain<'a, AuditInfo>>,
}

/// Prints the list.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let limit = args.limit.unwrap_or(LIMIT);
    let page = Some(limit.min(PAGE_MAX));
    let options = AuditOptions { newest_first: Some(true), limit: page, ..args.filter.options() };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut records = Vec::new();
    fetch(&context.client()?, options, |record| {
        records.push(record);
        Ok(records.len() < most)
    })?;
    if context.output.wants_json() {
        return context.output.json(&Records { records: records.iter().map(Plain).collect() });
    }
    let count = records.len();
    let footer = format!("{count} {} listed.", if count == 1 { "record" } else { "records" });
    context.output.table(&table(&records), &footer)
}

fn table(records: &[AuditInfo]) -> Table {
    let mut table = Table::new(&[
        ("SEQ", Align::Right),
        ("TIME", Align::Left),
        ("UID", Align::Right),
        ("OPERATION", Align::Left),
        ("OUTCOME", Align::Left),
        ("OWNER", Align::Left),
        ("NAME", Align::Left),
        ("COUNT", Align::Right),
        ("DETAILS", Align::Left),
    ]);
    for record in records {
        // Of one that does not open nothing is known.
        let is_known = record.time > 0;
        table.row([
            record.seq.to_string(),
            if is_known { minute(record.time) } else { String::new() },
            if is_known { record.uid.to_string() } else { String::new() },
            escape(&record.operation),
            escape(&record.outcome),
            escape(&record.owner),
            escape(&record.name),
            if is_known { record.count.to_string() } else { String::new() },
            details(record),
        ]);
    }
    table
}

/// What is known beside the columns that every record has.
fn details(record: &AuditInfo) -> String {
    let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
    let version = match record.operation.as_str() {
        "PruneAudit" => ("up-to", number(record.version)),
        _ => ("version", number(record.version)),
    };
    let parts = [
        version,
        ("door", record.door.clone()),
        ("app", record.app.clone()),
        ("purpose", record.purpose.clone()),
        ("pid", number(record.pid.into())),
        ("unit", record.unit.clone()),
        ("renamed-to", record.renamed_to.clone().unwrap_or_default()),
        ("grantee", record.grantee.clone().unwrap_or_default()),
    ];
    let given = parts.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(key, text)| format!("{key}={}", escape(&text))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_those_that_are_known_and_cannot_break_the_table() {
        let record = AuditInfo { version: 3, purpose: "a\nb".into(), pid: 7, ..AuditInfo::default() };
        assert_eq!(details(&record), "version=3 purpose=a\\nb pid=7");
        let pruned = AuditInfo { operation: "PruneAudit".into(), version: 9, ..AuditInfo::default() };
        assert_eq!(details(&pruned), "up-to=9");
    }

    #[test]
    fn of_a_record_that_does_not_open_only_the_number_is_told() {
        let damaged = AuditInfo { seq: 5, outcome: "damaged".into(), ..AuditInfo::default() };
        let text = table(&[damaged]).render(false, false, None);
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["5", "-", "-", "-", "damaged", "-", "-", "-", "-"]);
    }
}
