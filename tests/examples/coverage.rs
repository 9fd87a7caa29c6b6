//! coverage RECORD TABLE: writes the table of which test covers what of the contract, from what the tests have asked of the
//! programs (`tokenvault_tests::record`). Fails when a method, a property, a signal, an option, an error or a command is asked for
//! nowhere; all but the last two at both doors.
//!
//! coverage --check TABLE: fails when the table lacks something of the contract, or names a test that there is none of.
#![allow(clippy::expect_used, clippy::print_stderr, clippy::print_stdout, reason = "a tool of the tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use tokenvault_proto as proto;
use tokenvault_proto::{Dictionary, ErrorCode};
use tokenvault_tests::program::source_root;

const HEAD: &str = "# Which test covers what\n\n\
    Written by `make coverage` from a run of all tests: what they asked the daemon for at each of its doors, which options they\n\
    gave, how it was answered, and which commands they ran. One test is named where there are many, and their number. The keys\n\
    of the results are compared by `vault::json` for every command, and the interface itself by `contract::introspection`.\n";

/// Options of the methods that have any, beside those that say whose token is meant.
const OPTIONS: [(&str, &[&str]); 31] = [
    ("Tokens.Put", proto::PutOptions::KEYS),
    ("Tokens.Generate", proto::GenerateOptions::KEYS),
    ("Tokens.Get", proto::GetOptions::KEYS),
    ("Tokens.Describe", proto::DescribeOptions::KEYS),
    ("Tokens.Versions", proto::DescribeOptions::KEYS),
    ("Tokens.Rollback", proto::DescribeOptions::KEYS),
    ("Tokens.Rename", proto::DescribeOptions::KEYS),
    ("Tokens.Unshare", proto::DescribeOptions::KEYS),
    ("Tokens.Shares", proto::DescribeOptions::KEYS),
    ("Tokens.List", proto::ListOptions::KEYS),
    ("Tokens.Annotate", proto::AnnotateOptions::KEYS),
    ("Tokens.Delete", proto::DeleteOptions::KEYS),
    ("Tokens.Share", proto::ShareOptions::KEYS),
    ("Tokens.Offer", proto::OfferOptions::KEYS),
    ("Tokens.Redeem", proto::RedeemOptions::KEYS),
    ("Tokens.Fetches", proto::FetchesOptions::KEYS),
    ("Issuer.Issue", proto::IssueOptions::KEYS),
    ("Issuer.Validate", proto::ValidateOptions::KEYS),
    ("Issuer.RevokeAll", proto::RevokeAllOptions::KEYS),
    ("Issuer.Issued", proto::IssuedOptions::KEYS),
    ("Admin.AddSlot", proto::AddSlotOptions::KEYS),
    ("Admin.RemoveSlot", proto::RemoveSlotOptions::KEYS),
    ("Admin.Unseal", proto::UnsealOptions::KEYS),
    ("Admin.SetUser", proto::SetUserOptions::KEYS),
    ("Admin.AdoptUser", proto::AdoptUserOptions::KEYS),
    ("Admin.Cleanup", proto::CleanupOptions::KEYS),
    ("Admin.Audit", proto::AuditOptions::KEYS),
    ("Admin.Expiring", proto::ExpiringOptions::KEYS),
    ("Admin.VerifyAudit", proto::VerifyAuditOptions::KEYS),
    ("Admin.Restore", proto::RestoreOptions::KEYS),
    ("Admin.Rotate", proto::RotateOptions::KEYS),
];

/// The tests that asked for something.
type Tests = BTreeSet<String>;

#[derive(Default)]
struct Record {
    /// By method, door and outcome.
    calls: BTreeMap<(String, String, String), Tests>,
    /// By method, door and option.
    options: BTreeMap<(String, String, String), Tests>,
    /// Properties that were read and signals that were sent, by name and door.
    told: BTreeMap<(String, String), Tests>,
    /// Command lines.
    commands: BTreeMap<String, Tests>,
}

impl Record {
    fn read(text: &str) -> Self {
        let mut record = Self::default();
        for (test, line) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(call) = line.strip_prefix("call org.tokenvault1.") {
                record.add_call(test, call);
            } else if let Some((_, told)) = line.split_once(" org.tokenvault1.")
                && let Some((name, door)) = told.split_once(" at the ")
            {
                record.told.entry((name.to_owned(), door.to_owned())).or_default().insert(test.to_owned());
            } else if let Some((_door, command)) = line.strip_prefix("command ").and_then(|line| line.split_once(' ')) {
                // The form of the answer may be asked for before the verb.
                let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with("--json")).collect();
                record.commands.entry(words.join(" ")).or_default().insert(test.to_owned());
            }
        }
        record
    }

    /// `Tokens.Get at the bus by uid 1000, options [owner]: ok, after 300 us`.
    fn add_call(&mut self, test: &str, call: &str) {
        let Some((method, rest)) = call.split_once(" at the ") else { return };
        let Some((door, rest)) = rest.split_once(" by ") else { return };
        let Some((_uid, rest)) = rest.split_once(", options [") else { return };
        let Some((options, rest)) = rest.split_once("]: ") else { return };
        let Some((outcome, _took)) = rest.split_once(", after ") else { return };
        let key = |what: &str| (method.to_owned(), door.to_owned(), what.to_owned());
        self.calls.entry(key(outcome)).or_default().insert(test.to_owned());
        for option in options.split_whitespace().filter(|_| outcome == "ok") {
            self.options.entry(key(option)).or_default().insert(test.to_owned());
        }
    }

    /// Those that called a method at a door, and how.
    fn calls(&self, method: &str, door: &str, is_meant: impl Fn(&str) -> bool) -> Tests {
        let calls = self.calls.iter().filter(|((m, d, outcome), _)| m == method && d == door && is_meant(outcome));
        calls.flat_map(|(_, tests)| tests.iter().cloned()).collect()
    }

    fn told(&self, name: &str, door: &str) -> Tests {
        self.told.get(&(name.to_owned(), door.to_owned())).cloned().unwrap_or_default()
    }

    fn option(&self, method: &str, door: &str, option: &str) -> Tests {
        self.options.get(&(method.to_owned(), door.to_owned(), option.to_owned())).cloned().unwrap_or_default()
    }
}

/// The table, and what is missing in it.
#[derive(Default)]
struct Table {
    text: String,
    missing: Vec<String>,
}

impl Table {
    fn head(&mut self, title: &str, columns: &[&str]) {
        let _ = write!(self.text, "\n## {title}\n\n| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    }

    fn row(&mut self, what: &str, cells: &[Tests]) {
        if cells.iter().any(Tests::is_empty) {
            self.missing.push(what.to_owned());
        }
        let cells: Vec<String> = cells.iter().map(cell).collect();
        let _ = writeln!(self.text, "| `{what}` | {} |", cells.join(" | "));
    }
}

/// One test, and how many more there are: a plain one before a case of many doors, and the first by name.
fn cell(tests: &Tests) -> String {
    match (tests.iter().min_by_key(|test| (test.matches("::").count(), test.as_str())), tests.len()) {
        (None, _) => "none".into(),
        (Some(test), 1) => format!("`{test}`"),
        (Some(test), count) => format!("`{test}` and {} more", count - 1),
    }
}

/// What there is of a kind (`method`, `property`, `signal`), as `Interface.Name` in the order of the introspection document.
fn members(document: &str, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    for interface in document.split("<interface name=\"org.tokenvault1.").skip(1) {
        let Some((name, rest)) = interface.split_once('"') else { continue };
        for member in rest.split(&format!("<{kind} name=\"")).skip(1) {
            found.extend(member.split_once('"').map(|(member, _)| format!("{name}.{member}")));
        }
    }
    found
}

/// Command lines that there are manual pages of, but for those that only lead to others.
fn commands() -> Vec<String> {
    let pages = std::fs::read_dir(source_root().join("packaging/man")).expect("the manual");
    let names: Vec<String> = pages
        .filter_map(|page| page.expect("a page of the manual").file_name().into_string().ok())
        .filter_map(|page| page.strip_suffix(".1").or_else(|| page.strip_suffix(".8")).map(str::to_owned))
        .filter(|name| name.starts_with("tokenvault-") || name.starts_with("tokenvaultctl-"))
        .collect();
    let leads = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}-")));
    let mut commands: Vec<String> =
        names.iter().filter(|name| !leads(name)).map(|name| name.replace('-', " ")).collect();
    commands.sort();
    commands
}

fn table(record: &Record, document: &str) -> Table {
    let mut table = Table { text: HEAD.into(), missing: Vec::new() };
    let doors = ["bus", "socket"];
    table.head("Methods", &["method", "at the bus", "at the socket"]);
    for method in members(document, "method") {
        table.row(&method, &doors.map(|door| record.calls(&method, door, |outcome| outcome == "ok")));
    }
    table.head("Properties and signals", &["name", "at the bus", "at the socket"]);
    for name in ["property", "signal"].iter().flat_map(|kind| members(document, kind)) {
        table.row(&name, &doors.map(|door| record.told(&name, door)));
    }
    table.head("Options, in calls that went well", &["option", "at the bus", "at the socket"]);
    for (method, options) in OPTIONS {
        for option in options {
            table.row(&format!("{method} {option}"), &doors.map(|door| record.option(method, door, option)));
        }
    }
    table.head("Errors", &["error", "test"]);
    for entry in ErrorCode::TABLE {
        let name = entry.code.dbus_name();
        let name = name.strip_prefix(proto::ERROR_PREFIX).unwrap_or(&name);
        let calls = record.calls.iter().filter(|((_, _, outcome), _)| outcome == name);
        table.row(name, &[calls.flat_map(|(_, tests)| tests.iter().cloned()).collect()]);
    }
    table.head("Commands", &["command", "test"]);
    for command in commands() {
        let begins = |line: &String| *line == command || line.starts_with(&format!("{command} "));
        let ran = record.commands.iter().filter(|(line, _)| begins(line)).flat_map(|(_, tests)| tests.iter().cloned());
        table.row(&command, &[ran.collect()]);
    }
    table
}

/// What stands in the first column of a table, and what in the others.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
}

/// The sources of all tests.
fn sources(directory: &Path, text: &mut String) {
    for entry in std::fs::read_dir(directory).expect("a directory of the source") {
        let path = entry.expect("an entry of the source").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, text);
        } else if name.ends_with(".rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// What is wrong with a table that was written before.
fn check(written: &str, contract: &Table) -> Vec<String> {
    let covered: BTreeSet<&str> = rows(written).map(|(what, _)| what).collect();
    let mut wrong: Vec<String> = rows(&contract.text)
        .filter(|(what, _)| !covered.contains(what))
        .map(|(what, _)| format!("not in it: {what}"))
        .collect();
    let is_none = |cells: &str| cells.split('|').any(|cell| cell.trim() == "none");
    wrong.extend(rows(written).filter(|(_, cells)| is_none(cells)).map(|(what, _)| format!("no test: {what}")));
    let mut source = String::new();
    sources(&source_root().join("tests"), &mut source);
    for test in rows(written).flat_map(|(_, cells)| cells.split('`').skip(1).step_by(2)) {
        // A case that runs through each door is a module with a case for each.
        let is_there = test
            .split("::")
            .skip(1)
            .any(|part| source.contains(&format!("fn {part}(")) || source.contains(&format!("fn {part}<")));
        if !is_there {
            wrong.push(format!("no such test: {test}"));
        }
    }
    wrong
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, file] = arguments.as_slice() else {
        eprintln!("usage: coverage RECORD TABLE | --check TABLE");
        return ExitCode::from(2);
    };
    let document = source_root().join("packaging/dbus/org.tokenvault1.xml");
    let document = std::fs::read_to_string(document).expect("the introspection document");
    let wrong = if first == "--check" {
        check(&std::fs::read_to_string(file).expect("the table"), &table(&Record::default(), &document))
    } else {
        let record = std::fs::read_to_string(first).expect("the record");
        let table = table(&Record::read(&record), &document);
        std::fs::write(file, &table.text).expect("writing the table");
        table.missing.into_iter().map(|what| format!("no test: {what}")).collect()
    };
    wrong.iter().for_each(|what| println!("{file}: {what}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
