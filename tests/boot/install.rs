//! From packages to a fetched token.

use crate::common::*;

/// The shell commands of the README's block below this heading.
const HEADING: &str = "## Install";
/// An administrator should not need more than these.
const COMMANDS_MAX: usize = 5;

/// The commands as the README prints them, without what it says about them.
fn install_block() -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once(HEADING).expect("the README says how to install");
    let block = section.split("```").nth(1).expect("the section has a block of commands");
    block.lines().skip_while(|line| ["", "sh", "bash"].contains(line)).filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn the_block_of_the_readme_leads_from_packages_to_a_fetched_token() {
    let commands = install_block();
    assert!(commands.len() <= COMMANDS_MAX, "{commands:#?}");
    let machine = Machine::bare();
    machine.copy_in(&site::packages(), "/home/admin");
    machine.write("/etc/sudoers.d/no-questions", "admin ALL=(ALL) NOPASSWD: ALL\n");
    let script = commands.join("\n");
    machine.write(
        "/home/admin/block",
        &format!("set -e\ncd /home/admin\nexport DEBIAN_FRONTEND=noninteractive\n{script}\n"),
    );
    let shown = machine.session(ADMIN, "bash /home/admin/block").succeeds();
    let stored = script.split("printf %s ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let stored = stored.expect("the block stores a value with printf").trim_matches(['\'', '"']);
    assert!(shown.ends_with(stored), "the block ends with the token it stored:\n{shown}");
}

#[test]
fn the_daemon_serves_after_the_next_boot_without_a_prompt() {
    let mut machine = Machine::bare();
    site::install(&machine);
    machine.wait_for_state("serving");
    machine.put(ALICE, "api/key", "opens by itself");
    machine.reboot();
    assert_eq!(machine.property(SERVICE, "ActiveState"), "active", "before anybody has asked for anything");
    assert_eq!(machine.get(ALICE, "api/key"), "opens by itself");
    assert_eq!(machine.property(SERVICE, "NRestarts"), "0");
}

#[test]
fn a_machine_with_the_packages_boots_without_a_failed_unit() {
    let machine = serving();
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
    for unit in [SERVICE, SOCKETS[0], SOCKETS[1]] {
        assert_eq!(machine.property(unit, "ActiveState"), "active", "{unit}");
        assert_eq!(machine.property(unit, "UnitFileState"), "enabled", "{unit}");
    }
    // Where the zsh of Debian looks, which is not where that of other distributions does.
    machine.root("test -s /usr/share/zsh/vendor-completions/_tokenvault").succeeds();
    let complaints = machine.root("journalctl --boot --no-pager --output=cat -p warning | grep -i tokenvault || true");
    let complaints = complaints.succeeds();
    // Until there is a recovery key, that is the one thing to be said.
    assert!(complaints.lines().all(|line| line.contains("recovery")), "{complaints}");
}

#[test]
fn a_machine_without_a_tpm_boots_and_is_told_what_to_do() {
    let machine = Machine::installed_without_tpm();
    assert_eq!(machine.enter(&["systemctl", "is-system-running"]).succeeds(), "running");
    assert_eq!(machine.state(), "uninitialised");
    let status = machine.root("tokenvaultctl status").succeeds();
    assert!(status.contains("tokenvaultctl init"), "{status}");
}

#[test]
fn the_doctor_finds_nothing_on_an_installed_machine() {
    let machine = serving();
    machine.set_up_recovery("/root/recovery-key");
    let report = machine.root("tokenvaultctl doctor --json=short").succeeds();
    assert!(report.contains("\"ok\":true"), "{report}");
    assert!(!report.contains("\"result\":\"warning\"") && !report.contains("\"result\":\"failed\""), "{report}");
}

#[test]
fn a_recovery_key_that_nobody_has_confirmed_is_demanded_everywhere_until_somebody_does() {
    let machine = serving();
    let everywhere = || {
        let mut login = machine.terminal(&["login", "-f", "root"]);
        [
            login.expect("# "),
            machine.root("tokenvaultctl status").succeeds(),
            machine.root("tokenvaultctl doctor || true").succeeds(),
            machine.property(SERVICE, "StatusText"),
        ]
    };
    for said in everywhere() {
        assert!(said.contains("tokenvaultctl init"), "{said}");
    }
    assert!(machine.journal(SERVICE).contains("tokenvaultctl init"));
    machine.set_up_recovery("/root/recovery-key");
    // What the service manager shows follows a moment later.
    wait::until("the word that it is confirmed", || {
        (!machine.property(SERVICE, "StatusText").contains("tokenvaultctl init")).then_some(())
    });
    for said in everywhere() {
        assert!(!said.contains("tokenvaultctl init"), "{said}");
    }
}
