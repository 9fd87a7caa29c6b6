//! What becomes of a vault when its packages come, change and go.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

/// A store of a newer release, by the exit statuses of the daemon.
const NEWER_STORE: &str = "65";

fn dpkg(arguments: &[&str]) {
    let status = Command::new("dpkg-deb").args(arguments).stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success(), "dpkg-deb {arguments:?}");
}

/// The packages again, each with a version after its own, and depending on each other's.
fn next_release() -> Vec<PathBuf> {
    let place = tempfile::tempdir_in(site::directory()).unwrap().keep();
    let renew = |tree: &Path| {
        let control = tree.join("DEBIAN/control");
        let text = std::fs::read_to_string(&control).unwrap();
        let version = text.lines().find_map(|line| line.strip_prefix("Version: ")).expect("a package has a version");
        std::fs::write(&control, text.replace(version, &format!("{version}+next"))).unwrap();
    };
    site::packages().iter().map(|package| packed_again(package, &place, renew)).collect()
}

/// The package of the daemon as an older release has it: with a lower version, and knowing the first schema alone.
fn older_release() -> PathBuf {
    let place = tempfile::tempdir_in(site::directory()).unwrap().keep();
    let is_daemon = |package: &&PathBuf| package.file_name().unwrap().to_str().unwrap().starts_with("tokenvault_");
    packed_again(site::packages().iter().find(is_daemon).expect("the package of the daemon"), &place, |tree| {
        edit(tree, "control", |line| line.starts_with("Version: "), |_| "Version: 0.0.1-1".to_owned());
        edit(
            tree,
            "preinst",
            |line| line.contains(" -gt "),
            |line| {
                let (before, _) = line.split_once(" -gt ").unwrap();
                format!("{before} -gt 1 ]; then")
            },
        );
    })
}

fn packed_again(package: &Path, place: &Path, change: impl Fn(&Path)) -> PathBuf {
    let name = package.file_name().unwrap().to_str().unwrap();
    let (tree, output) = (place.join("tree"), place.join(name));
    dpkg(&["--raw-extract", package.to_str().unwrap(), tree.to_str().unwrap()]);
    change(&tree);
    dpkg(&["--root-owner-group", "--build", tree.to_str().unwrap(), output.to_str().unwrap()]);
    std::fs::remove_dir_all(&tree).unwrap();
    output
}

/// Changes one line of a control file of an unpacked package.
fn edit(tree: &Path, file: &str, is_it: impl Fn(&str) -> bool, change: impl Fn(&str) -> String) {
    let path = tree.join("DEBIAN").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut changed = 0;
    let lines = text.lines().map(|line| {
        if is_it(line) {
            changed += 1;
            return change(line) + "\n";
        }
        format!("{line}\n")
    });
    let text: String = lines.collect();
    assert_eq!(changed, 1, "{file} is not as expected");
    std::fs::write(&path, text).unwrap();
}

fn with_token() -> Machine {
    let machine = serving();
    machine.put(ALICE, "api/key", "kept");
    machine
}

const APT: &str = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends";

#[test]
fn an_upgrade_keeps_tokens_and_sockets() {
    let machine = with_token();
    let sockets = "stat --format '%n %i %W' /run/tokenvault/bus /run/tokenvault/credentials";
    let before = machine.root(sockets).succeeds();
    let daemon = machine.property(SERVICE, "MainPID");
    machine.copy_in(&next_release(), "/root/next");
    machine.root(&format!("{APT} install /root/next/*.deb")).succeeds();
    let version = machine.root("dpkg-query --show --showformat '${Version}' tokenvault").succeeds();
    assert!(version.ends_with("+next"), "{version}");
    assert_ne!(machine.property(SERVICE, "MainPID"), daemon, "the new daemon runs");
    assert_eq!(machine.root(sockets).succeeds(), before);
    for door in Door::ALL {
        assert_eq!(machine.user(ALICE, &door.shell("tokenvault get api/key")).succeeds(), "kept");
    }
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
}

#[test]
fn removed_packages_leave_the_vault_and_serve_it_when_they_are_back() {
    let machine = with_token();
    machine.root(&format!("{APT} remove tokenvault")).succeeds();
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
    machine.root("test -s /var/lib/tokenvault/vault.db && test ! -e /run/tokenvault/bus").succeeds();
    machine.root("pgrep tokenvaultd").fails_with(1);
    site::install(&machine);
    machine.wait_for_state("serving");
    assert_eq!(machine.get(ALICE, "api/key"), "kept");
}

#[test]
fn a_purge_does_not_destroy_what_cannot_be_made_again() {
    let machine = with_token();
    machine.root("mkdir -p /etc/tokenvault && echo 'bus = \"system\"' >/etc/tokenvault/tokenvault.conf").succeeds();
    machine.root(&format!("{APT} purge tokenvault")).succeeds();
    machine.root("test -s /var/lib/tokenvault/vault.db").succeeds();
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
    site::install(&machine);
    machine.wait_for_state("serving");
    assert_eq!(machine.get(ALICE, "api/key"), "kept");
}

#[test]
fn a_store_of_a_newer_release_is_refused_and_left_as_it_is() {
    let machine = with_token();
    machine.root(&format!("systemctl stop {} {} {SERVICE}", SOCKETS[0], SOCKETS[1])).succeeds();
    // The number of the schema, at its place in the header of an SQLite file.
    machine
        .root(
            "printf '\\000\\001\\000\\000' | dd of=/var/lib/tokenvault/vault.db bs=1 seek=60 conv=notrunc status=none",
        )
        .succeeds();
    let before = machine.root("sha256sum /var/lib/tokenvault/vault.db").succeeds();
    machine.root(&format!("systemctl start {SERVICE}")).fails();
    assert_eq!(machine.property(SERVICE, "ExecMainStatus"), NEWER_STORE);
    assert_eq!(machine.property(SERVICE, "ActiveState"), "failed", "it is not tried again and again");
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
    assert!(machine.journal(SERVICE).contains("newer"), "{}", machine.journal(SERVICE));
    assert_eq!(machine.root("sha256sum /var/lib/tokenvault/vault.db").succeeds(), before);
}

#[test]
fn what_has_expired_is_cleaned_up_every_day() {
    let machine = serving();
    assert_eq!(machine.property("tokenvault-cleanup.timer", "ActiveState"), "active");
    assert_eq!(machine.root("systemctl is-enabled tokenvault-cleanup.timer").succeeds(), "enabled");
    machine.root("systemctl start tokenvault-cleanup.service").succeeds();
    assert_eq!(machine.property("tokenvault-cleanup.service", "Result"), "success");
    // A sealed vault is no fault of this unit.
    machine.root("tokenvaultctl seal").succeeds();
    machine.root("systemctl start tokenvault-cleanup.service").succeeds();
}

#[test]
fn metrics_are_written_for_a_collector_where_there_is_one_and_wake_no_vault() {
    const PAGE: &str = "/var/lib/prometheus/node-exporter/tokenvault.prom";
    let machine = serving();
    assert_eq!(machine.root("systemctl is-enabled tokenvault-metrics.timer; true").succeeds(), "disabled");
    assert_eq!(machine.root("systemctl is-enabled tokenvault-notify.timer; true").succeeds(), "disabled");
    machine.root("systemctl start tokenvault-metrics.service").succeeds();
    machine.root(&format!("test -e {PAGE}")).fails();
    // The directory of a collector, which is its own user's.
    machine.root("install -d -o games /var/lib/prometheus/node-exporter").succeeds();
    machine.root("systemctl start tokenvault-metrics.service").succeeds();
    let page = machine.root(&format!("cat {PAGE}")).succeeds();
    assert!(page.contains("tokenvault_state{state=\"serving\"} 1\n") && page.ends_with("# EOF"), "{page}");
    assert!(page.contains("tokenvault_calls_total{method=\"Manager.Status\",outcome=\"ok\"}"), "{page}");
    assert_eq!(machine.root(&format!("stat -c %a {PAGE}")).succeeds(), "644");
    machine.root(&format!("systemctl stop {SERVICE}")).succeeds();
    machine.root("systemctl start tokenvault-metrics.service").succeeds();
    assert_eq!(machine.property(SERVICE, "ActiveState"), "inactive", "its socket was left alone");
}

#[test]
fn an_older_release_is_not_installed_over_a_newer_store() {
    let machine = with_token();
    let version = "dpkg-query --show --showformat '${Version} ${db:Status-Status}' tokenvault";
    let before = machine.root(version).succeeds();
    machine.copy_in(&[older_release()], "/root/older");
    let told = machine.root("dpkg --install /root/older/*.deb 2>&1; echo status $?").succeeds();
    assert!(told.contains("was written by a newer release") && !told.ends_with("status 0"), "{told}");
    assert_eq!(machine.root(version).succeeds(), before);
    assert_eq!(machine.user(ALICE, "tokenvault get api/key").succeeds(), "kept", "the newer release goes on");
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
}
