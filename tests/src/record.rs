//! What the tests have asked of the programs, for the table that says which test covers what (`make coverage`).
//!
//! Where the environment names a file, the daemons under test log every call, and what they logged is appended to the file when
//! they end, of tests that have not failed; commands are appended as they are run.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::door::Door;

/// Names the file.
pub const VARIABLE: &str = "TOKENVAULT_TEST_RECORD";

/// How a line of the daemon's log begins that tells of a call, of a property that was read, or of a signal; and of the record.
const KINDS: [(&str, &str); 3] = [("a call of ", "call"), ("a reading of ", "property"), ("a sending of ", "signal")];

/// Whether a record is wanted.
pub fn is_wanted() -> bool {
    file().is_some()
}

/// Appends the calls, properties and signals that a daemon has logged.
pub fn calls(log: &str) {
    let lines = log.lines().filter_map(|line| line.strip_prefix("tokenvaultd: debug: "));
    let of_kind = |line: &str| {
        KINDS.iter().find_map(|(begin, kind)| line.strip_prefix(begin).map(|said| format!("{kind} {said}")))
    };
    append(&lines.filter_map(of_kind).collect::<Vec<String>>());
}

/// Appends a command.
pub fn command(door: Door, arguments: &[&str]) {
    append(&[format!("command {door:?} {}", arguments.join(" ").escape_debug())]);
}

fn file() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Appends lines, each with the name of the running test before it: that of its thread.
fn append(lines: &[String]) {
    let (Some(file), Some(test)) = (file(), std::thread::current().name().map(str::to_owned)) else { return };
    let suite = std::env::current_exe().expect("the path of the test");
    let suite = suite.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('-'));
    let suite = suite.map_or("", |(name, _)| name);
    let text: String = lines.iter().map(|line| format!("{suite}::{test}\t{line}\n")).collect();
    let mut file = File::options().create(true).append(true).open(&file).expect("the file to record in");
    // One write: tests of many processes append at once.
    file.write_all(text.as_bytes()).expect("recording");
}
