//! A secret in a script: a whole process for each.

use tokenvault_tests::{ALICE, Door, ROOT, program};

use crate::Bench;
use crate::keyring::find;
use crate::load::Load;
use crate::pin::Pinned;
use crate::report::Bound::AtMost;
use crate::report::{Report, Row};
use crate::rounds::{Scenario, compare_all};

/// Runs of a program in one round.
const TIMES: &str = "30";

/// Measures it.
pub fn measure(bench: &mut Bench, report: &mut Report) {
    bench.big.restart(&[]);
    let keyring = bench.keyrings.get("gnome-keyring").filter(|_| find("secret-tool").is_some());
    let mut servers = bench.big.processes().to_vec();
    servers.extend(keyring.map(|keyring| keyring.processes()).into_iter().flatten());
    let _pinned = Pinned::new(servers);

    let program = program::path("tokenvault");
    let load = |user, words: &[&str]| {
        let words = [&[TIMES], words].concat();
        Load::new(bench.programs.path("process"), user, &words).without_options().pinned()
    };
    let get = load(ALICE, &[program.to_str().expect("a UTF-8 path"), "get", "t/000007"])
        .with("TOKENVAULT_ADDRESS", bench.big.vault.address_text(Door::Socket));
    let mut scenarios = vec![
        Scenario::new("/bin/true, a process", load(ALICE, &["/bin/true"])),
        Scenario::new("tokenvault get, a process", get),
    ];
    let tool = keyring.map(|keyring| keyring.in_session(load(ROOT, &["secret-tool", "lookup", "name", "item-000007"])));
    scenarios.extend(tool.map(|load| Scenario::new("secret-tool lookup, a process", load)));
    let medians = compare_all(report, &scenarios.iter().collect::<Vec<_>>());

    let row = || Row::new("tokenvault get as a process").ours(medians[1].p50 / 1e3, "ms");
    report.row(row().over("/bin/true", medians[0].p50 / 1e3).bound(AtMost(2.5)));
    report.row(match medians.get(2) {
        Some(tool) => row().over("secret-tool lookup", tool.p50 / 1e3).bound(AtMost(0.25)),
        None => Row::new("tokenvault get against secret-tool")
            .note("not measured: packages gnome-keyring, libsecret-tools and libsecret-1-dev are needed"),
    });
}
