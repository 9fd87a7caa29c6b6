//! `make bench`: every row of the table of targets, each beside its reference in the same run. How to read the figures, and
//! the last ones: tests/bench/README.md.
//!
//! It starts what the suites start (daemon, bus, software TPM, users), in the release build and with the default limits
//! where a row does not say otherwise. Progress goes to standard error, the tables to standard output, everything to
//! `target/bench/targets.json`. A target that is missed is marked and nothing more; the status is 1 when something could
//! not be measured.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has nothing to say"
)]

mod backup;
mod bus;
mod chip;
mod cleanup;
mod crowd;
mod disk;
mod flood;
mod floor;
mod keyring;
mod latency;
mod library;
mod listing;
mod load;
mod memory;
mod pin;
mod processes;
mod programs;
mod report;
mod role;
mod rounds;
mod site;
mod startup;
mod sync;
mod table;
mod throughput;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use keyring::Keyrings;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use programs::Programs;
use report::Report;
use site::Site;

/// Everything that is started once.
pub struct Bench {
    programs: Programs,
    floor: floor::Floors,
    keyrings: Keyrings,
    small: Site,
    big: Site,
    /// A million tokens, which take minutes to put.
    huge: Option<Site>,
}

/// Rows that are measured together.
type Group = (&'static str, fn(&mut Bench, &mut Report));

/// In the order they are measured: those that only read come first.
const GROUPS: [Group; 13] = [
    ("latency", latency::measure),
    ("listing", listing::measure),
    ("processes", processes::measure),
    ("library", library::measure),
    ("startup", startup::measure),
    ("memory", memory::measure),
    ("throughput", throughput::measure),
    ("crowd", crowd::measure),
    ("flood", flood::measure),
    ("writes", writes::measure),
    ("cleanup", cleanup::measure),
    ("backup", backup::measure),
    ("sync", sync::measure),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = role::asked_for(&words) {
        return role.play();
    }
    // `cargo test --all-targets` runs it too; there it only has to build.
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    raise_descriptors();
    let only = std::env::var("ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|group| group == name);
    let mut report = Report::new();
    let begun = Instant::now();
    let mut bench = Bench::start(std::env::var("FULL").is_ok_and(|full| !full.is_empty()));
    for (name, measure) in GROUPS.into_iter().filter(|(name, _)| wanted(name)) {
        eprintln!("bench: {:4} s: {name}", begun.elapsed().as_secs());
        // One group that fails does not take the others' figures along.
        if catch_unwind(AssertUnwindSafe(|| measure(&mut bench, &mut report))).is_err() {
            report.broken(name);
        }
    }
    eprintln!("bench: {:4} s: done", begun.elapsed().as_secs());
    drop(bench);
    table::print(&report);
    report.write();
    if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A thousand connections need more descriptors than a process mostly gets; load programs inherit what is set here.
fn raise_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the limit of descriptors");
}

impl Bench {
    fn start(full: bool) -> Self {
        let programs = Programs::build();
        let start = |tokens: u64| {
            eprintln!("bench: putting {tokens} tokens");
            Site::start(&programs, tokens)
        };
        let (small, big) = (start(1_000), start(100_000));
        let huge = full.then(|| start(1_000_000));
        let floor = floor::Floors::start(big.vault.path(), big.vault.bus_address());
        let keyrings = Keyrings::start(&programs);
        Self { programs, floor, keyrings, small, big, huge }
    }
}
