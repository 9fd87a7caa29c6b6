//! D2: whatever of the writes that were not synced a power cut keeps, drops, tears or mixes, what was acknowledged is there, nothing is
//! half there, and the vault opens by itself, though the TPM has counted.
//!
//! A process makes every kind of change under `strace`, which sees each write, sync and rename in one order. From any place in it a disk
//! is made as a power cut could leave it, and the vault on it is opened.

mod disk;
mod story;
mod trace;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use disk::Disk;
use tokenvault_core::vault::{Settings, State};
use trace::Step;

use crate::fixture::*;

/// Power cuts that are tried.
const CUTS: usize = 2_000;
/// Set for the process that lives the story.
const LIVES: &str = "TOKENVAULT_TEST_LIVES";

/// Not a test: what the process runs.
#[test]
#[ignore = "run by the test below"]
fn child_makes_changes() {
    if std::env::var_os(LIVES).is_some() {
        story::live();
    }
}

/// A disk as a power cut left it.
struct Cut {
    files: BTreeMap<String, Vec<u8>>,
    /// Changes that were acknowledged by then.
    acknowledged: usize,
    /// What the TPM has.
    counters: String,
    /// Where it was.
    place: String,
}

/// What the process did.
fn record() -> Vec<Step> {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("trace");
    let told = Command::new("strace")
        .args(["-f", "-qq", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", trace::CALLS, "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "power_loss::child_makes_changes", "--ignored", "--nocapture"])
        .env(LIVES, "1")
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("this test needs strace: {error}; install it"));
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    trace::read(&fs::read_to_string(log).unwrap(), "vault.db")
}

/// Power cuts at places that are spread over all that was done, and what everybody could see after each change.
fn cuts(steps: &[Step]) -> (Vec<Cut>, Vec<u64>) {
    let mut random = Random::new(20);
    let first = steps.iter().position(|step| matches!(step, Step::Told(line) if line.starts_with("ack "))).unwrap();
    let mut places: Vec<usize> =
        (0..CUTS).map(|_| first + usize::try_from(random.below((steps.len() - first) as u64)).unwrap()).collect();
    places.sort_unstable();
    let (mut disk, mut sights, mut counters, mut cuts) = (Disk::default(), Vec::new(), String::new(), Vec::new());
    let mut places = places.into_iter().peekable();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Told(line) = step {
            match line.split_once(' ') {
                Some(("ack", sight)) => sights.push(sight.parse().unwrap()),
                Some(("tpm", told)) => told.clone_into(&mut counters),
                _ => {}
            }
        }
        disk.take(step);
        while places.next_if_eq(&number).is_some() {
            let (files, acknowledged) = (disk.cut(&mut random), sights.len());
            let place = format!("cut {} behind step {number}, a {}", cuts.len(), kind(step));
            cuts.push(Cut { files, acknowledged, counters: counters.clone(), place });
        }
    }
    (cuts, sights)
}

fn kind(step: &Step) -> String {
    format!("{step:?}").chars().take(60).collect()
}

/// Opens the vault on what is left.
fn check(cut: &Cut, sights: &[u64]) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    for (name, bytes) in &cut.files {
        fs::write(dir.path().join(name), bytes).unwrap();
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o600)).unwrap();
    }
    let mut home = Home::in_directory(dir);
    home.tpm = Some(Arc::new(ScriptedCounter::with(&cut.counters)));
    home.start(Settings::default());
    let unsealed = home.unseal();
    let status = home.vault().status();
    assert_eq!(status.state, State::Serving, "{}: {unsealed:?} {status:?}", cut.place);
    home.vault().verify_rows(&Unwatched).unwrap_or_else(|error| panic!("{}: {error}", cut.place));
    home.vault().verify_indexes().unwrap_or_else(|error| panic!("{}: {error}", cut.place));
    verified(&home).unwrap_or_else(|fault| panic!("{}: {fault:?}", cut.place));
    let seen = story::sight(&home);
    let allowed = &sights[cut.acknowledged - 1..sights.len().min(cut.acknowledged + 1)];
    assert!(
        allowed.contains(&seen),
        "{}: {} changes were acknowledged, and not all are there",
        cut.place,
        cut.acknowledged
    );
    home.check_counters();
    home.alice().put("after", b"it goes on").unwrap();
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_cut_at_any_place_needs_root_and_strace() {
    let steps = record();
    let (cuts, sights) = cuts(&steps);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(cut, &sights);
                }
            });
        }
    });
    let syncs = steps.iter().filter(|step| matches!(step, Step::Sync(_) | Step::SyncDirectory)).count();
    assert!(sights.len() > 300 && syncs > 300, "{} changes, {syncs} syncs", sights.len());
    eprintln!("D2: {} power cuts in {} steps with {syncs} syncs, 0 acknowledged changes lost", cuts.len(), steps.len());
}
