//! D4: a backup of a large store, verified, and restored on another machine with the recovery key alone; and how long it takes to
//! verify the rows of a store that was opened.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokenvault_tests::{Door, Vault, program, wait};

use crate::Bench;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::site::Site;

/// The longest any of it may take, seconds, and the most memory, MiB.
const SECONDS: f64 = 60.0;
const MEBIBYTES: f64 = 150.0;
/// After which it is not waited for any more.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a command of the administrator takes, seconds.
fn run(vault: &Vault, words: &[&str]) -> f64 {
    let begun = Instant::now();
    let told = Command::new(program::path("tokenvaultctl"))
        .args(words)
        .env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket))
        .output()
        .expect("tokenvaultctl");
    assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
    begun.elapsed().as_secs_f64()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    let directory = bench.big.vault.path().join("backup");
    fs::create_dir(&directory).expect("a directory");
    let (key, file) = (directory.join("key"), directory.join("vault.backup"));
    let (key, file) = (text(&key), text(&file));
    let site = &mut bench.big;
    site.restart(&[]);
    run(&site.vault, &["init", "--recovery-out", key, "--confirm-from", key]);
    let row = |what: &str, seconds: f64| Row::new(what).ours(seconds, "s").bound(AtMost(SECONDS));
    report.row(row("Backup, 100,000 tokens", run(&site.vault, &["backup", "create", file])));
    report.row(row("Verifying that backup", run(&site.vault, &["backup", "verify", file, "--recovery-file", key])));
    report.row(row("Verifying the store it is of", run(&site.vault, &["verify"])));
    report.row(memory("RSS at most of the daemon that made it", site.memory_mib("VmHWM")));

    let mut other = Vault::builder().without_bus().start();
    let restored = run(&other, &["backup", "restore", file, "--replace", "--recovery-file", key]);
    report.row(row("Restoring it on another machine", restored));
    let peak = other.daemon().process().memory_kib("VmHWM") as f64 / 1024.0;
    report.row(memory("RSS at most of the daemon that restored it", peak));
    report.row(opening("Opening, until all rows are verified, 100,000 tokens", site));
    if let Some(huge) = &mut bench.huge {
        report.row(opening("Opening, until all rows are verified, 1,000,000 tokens", huge));
    }
}

fn memory(what: &str, mebibytes: f64) -> Row {
    Row::new(what).ours(mebibytes, "MiB").bound(AtMost(MEBIBYTES))
}

/// From the start of the daemon, which serves at once.
fn opening(what: &str, site: &mut Site) -> Row {
    site.vault.stop_daemon();
    let before = site.vault.log().len();
    let begun = Instant::now();
    site.vault.start_daemon();
    site.vault.wait_for_state("serving");
    let served = begun.elapsed().as_secs_f64();
    wait::until_within(LONGEST, "the rows to be verified", || {
        site.vault.log().get(before..)?.contains("are as the vault wrote them").then_some(())
    });
    let row = Row::new(what).ours(begun.elapsed().as_secs_f64(), "s").bound(AtMost(SECONDS));
    row.note(format!("it serves after {served:.2} s"))
}
