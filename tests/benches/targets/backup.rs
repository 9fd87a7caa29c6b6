//! D4: a backup of a large store, verified, and restored on another machine with the recovery key alone; and how long it takes to
//! verify the rows of a store that was opened.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokenvault_tests::{ALICE, BOB, Door, ROOT, Vault, program, proof, wait};

use crate::Bench;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::site::{OWN_TOKENS, PREFIX, READS, Site, WRITES};

/// The longest any of it may take, seconds, and the most memory, MiB.
const SECONDS: f64 = 60.0;
const MEBIBYTES: f64 = 150.0;
/// How long others read and write beside a backup, seconds.
const LOAD: f64 = 5.0;
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

    let busy = beside_others(site, file);
    report.row(row("Backup beside a reader and writers, 100,000 tokens", busy.seconds).note(busy.note()));
    let mut other = Vault::builder().without_bus().start();
    let restored = run(&other, &["backup", "restore", file, "--replace", "--recovery-file", key]);
    report.row(row("Restoring that on another machine", restored));
    busy.check(site, &other, restored);
    let peak = other.daemon().process().memory_kib("VmHWM") as f64 / 1024.0;
    report.row(memory("RSS at most of the daemon that restored it", peak));
    report.row(opening("Opening, until all rows are verified, 100,000 tokens", site));
    if let Some(huge) = &mut bench.huge {
        report.row(opening("Opening, until all rows are verified, 1,000,000 tokens", huge));
    }
}

/// A backup that was made while others read and wrote.
struct Busy {
    seconds: f64,
    reads: u64,
    writes: u64,
}

/// Makes one. The writers put new versions of tokens that are there.
fn beside_others(site: &mut Site, file: &str) -> Busy {
    site.restart(&[READS, WRITES, ("tokens", 0), ("bytes", 0)]);
    fs::remove_file(file).expect("the backup before");
    let reader = site.get(ALICE, Door::Socket).seconds(LOAD).start();
    let writers = site.put(BOB, PREFIX, site.tokens_of_others()).callers(2).seconds(LOAD).start();
    let seconds = run(&site.vault, &["backup", "create", file]);
    Busy { seconds, reads: reader.finish().calls, writes: writers.finish().calls }
}

impl Busy {
    fn note(&self) -> String {
        format!("beside {} reads and {} writes", self.reads, self.writes)
    }

    /// Holds what was restored against what there is, and says what was shown.
    fn check(&self, site: &Site, other: &Vault, restored: f64) {
        let (there, here) = (tokens(other), tokens(&site.vault));
        assert_eq!(there, here, "tokens that were restored");
        let verified = run(other, &["verify"]);
        // The caller's own, one by one.
        let got = site
            .get(ALICE, Door::Socket)
            .calls(OWN_TOKENS)
            .with("TOKENVAULT_ADDRESS", other.address_text(Door::Socket));
        let got = got.run().calls;
        let seconds = self.seconds;
        assert!(seconds < SECONDS && restored < SECONDS && verified < SECONDS, "{seconds} {restored} {verified}");
        proof(
            "D4",
            &format!(
                "{there} of {here} tokens, backed up in {seconds:.1} s {}, restored on another machine with the recovery \
                 key alone in {restored:.1} s, all rows verified in {verified:.1} s, {got} values got",
                self.note()
            ),
        );
    }
}

/// How many tokens all users have.
fn tokens(vault: &Vault) -> u64 {
    vault.client(ROOT, Door::Socket).users().expect("the users").iter().map(|user| user.tokens).sum()
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
