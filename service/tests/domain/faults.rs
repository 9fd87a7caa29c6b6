//! D1, D2, D3 and D7: whatever a kill or a power cut leaves of what was written, and whichever call fails, what was acknowledged is there
//! and nothing is half there.
//!
//! A process makes changes under `strace`, which sees each write, sync and rename in one order. From any place in it a disk is made as a
//! kill leaves it, with all that was written, or as a power cut may, which keeps, drops, tears or mixes what was not synced; and the
//! store on it is opened. Or `strace` has calls of the process fail.

mod changes;
mod disk;
mod ends;
mod failing;
mod story;
mod trace;
mod upgrades;

use std::path::Path;
use std::process::Command;

use trace::Step;

/// Tells the process which story it lives.
const STORY: &str = "TOKENVAULT_TEST_STORY";

/// Not a test: what the process runs.
#[test]
#[ignore = "run by the tests beside it"]
fn child_lives_a_story() {
    match std::env::var(STORY).as_deref() {
        Ok("changes") => story::live(),
        Ok("failing") => failing::live(),
        Ok(schema) => upgrades::live(schema.parse().expect("the number of a schema")),
        Err(_) => {}
    }
}

/// What a process does to the directory of its store, in its order.
fn record(story: &str) -> Vec<Step> {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", trace::CALLS, "-o"]);
    run(strace.arg(&log).arg(std::env::current_exe().unwrap()), story, place.path());
    trace::read(&std::fs::read_to_string(log).unwrap(), "vault.db")
}

/// Has a process live a story in a directory for temporary files; what it said.
fn run(process: &mut Command, story: &str, place: &Path) -> String {
    process.args(["--exact", "faults::child_lives_a_story", "--ignored", "--nocapture"]);
    process.env(STORY, story).env("TMPDIR", place);
    let told = process.output().unwrap_or_else(|error| panic!("this test needs strace: {error}; install it"));
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{process:?}: {said}");
    said
}
