//! What libtokenvault costs a program that links it: its size, and its first open.

use std::process::Command;

use tokenvault_tests::{ALICE, Door, stage};

use crate::Bench;
use crate::load::Load;
use crate::pin::Pinned;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::median;

/// Processes that open for the first time.
const OPENS: usize = 41;

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    let library = stage::library_directory().join("libtokenvault.so");
    let stripped = bench.programs.path("libtokenvault.stripped");
    let status = Command::new("strip").arg("--strip-unneeded").arg("-o").arg(&stripped).arg(library).status();
    assert!(status.expect("strip (package binutils)").success());
    let size = std::fs::metadata(&stripped).expect("the stripped library").len();
    report.row(Row::new("libtokenvault.so, stripped").ours(size as f64 / 1024.0 / 1024.0, "MiB").bound(AtMost(4.0)));

    bench.big.restart(&[]);
    let _pinned = Pinned::new(bench.big.processes());
    let load = Load::new(bench.programs.path("open"), ALICE, &["t/000007"])
        .with("TOKENVAULT_ADDRESS", bench.big.vault.address_text(Door::Socket))
        .without_options()
        .pinned();
    let (mut opens, mut firsts) = (Vec::new(), Vec::new());
    for _ in 0..OPENS {
        let lines = load.lines();
        opens.push(lines[0].p50 / 1e3);
        firsts.push((lines[0].p50 + lines[1].p50) / 1e3);
    }
    report.row(Row::new("libtokenvault: first open").ours(median(opens), "ms").bound(AtMost(1.0)));
    let row = Row::new("libtokenvault: first open and first Get").ours(median(firsts), "ms");
    report.row(row.note("the open has connected already"));
}
