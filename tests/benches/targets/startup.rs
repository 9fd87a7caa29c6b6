//! From exec of the daemon to its first answer, less what the TPM itself took.

use std::time::{Duration, Instant};

use tokenvault_client::Client;
use tokenvault_tests::notify::Notifications;
use tokenvault_tests::{ALICE, Daemon, Door};

use crate::Bench;
use crate::chip::TimedChip;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::{ROUNDS, median};

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    let vault = &mut bench.big.vault;
    vault.stop_daemon();
    let chip = TimedChip::before(vault.tpm().port());
    let configuration = vault.write_configuration();
    let text = std::fs::read_to_string(&configuration).expect("the configuration");
    let direct = vault.tpm().tcti();
    assert!(text.contains(&direct), "the configuration names its TPM");
    std::fs::write(&configuration, text.replace(&direct, &chip.tcti())).expect("the configuration");

    let directory = vault.path().join("startup");
    std::fs::create_dir(&directory).expect("a directory");
    let notify = Notifications::listen(&directory).expect("the notification socket");
    let address = vault.address(Door::Socket);
    let (mut without_chip, mut chips) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        chip.take_time();
        let begun = Instant::now();
        let daemon = Daemon::start(&directory, &configuration, vault.users(), &notify);
        ALICE.run(|| {
            let client = Client::open(Some(&address)).expect("a client");
            client.get("t/000007", &Default::default()).expect("a value of a vault that has just started");
        });
        let (all, chip) = (begun.elapsed(), chip.take_time());
        assert!(chip > Duration::ZERO, "the TPM was not asked");
        without_chip.push((all - chip).as_secs_f64() * 1e3);
        chips.push(chip.as_secs_f64() * 1e3);
        daemon.stop();
    }
    vault.start_daemon();
    let note = format!("the {:.1} ms of the software TPM are taken off", median(chips));
    let row = Row::new("exec to answering, 100,000 tokens").ours(median(without_chip), "ms");
    report.row(row.bound(AtMost(50.0)).note(note));
}
