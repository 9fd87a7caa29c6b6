//! Work that nobody is logged in for.

use crate::common::*;

/// Fetches a token and says so in a file.
const FETCH: &str = "umask 077; tokenvault get nightly/backup >$HOME/fetched.new && mv $HOME/fetched.new $HOME/fetched";

fn wait_for_fetched(machine: &Machine) -> String {
    wait::until("a job that fetches its token", || machine.user(ALICE, "cat $HOME/fetched").ok())
}

fn with_token() -> Machine {
    let machine = serving();
    machine.put(ALICE, "nightly/backup", "while she sleeps");
    assert_eq!(machine.enter(&["loginctl", "list-users", "--no-legend"]).succeeds(), "", "nobody is logged in");
    machine
}

#[test]
fn a_job_of_cron_fetches_its_token() {
    let machine = with_token();
    machine.write("/opt/fetch", &format!("HOME=/home/alice\n{FETCH}\n"));
    // Cron looks once a minute; what is due at the boot is not waited for.
    machine.root("echo '@reboot sh /opt/fetch' | crontab -u alice -").succeeds();
    machine.root("rm -f /run/crond.reboot && systemctl restart cron").succeeds();
    assert_eq!(wait_for_fetched(&machine), "while she sleeps");
}

#[test]
fn a_lingering_unit_of_a_user_fetches_its_token() {
    let mut machine = with_token();
    let unit = format!(
        "[Service]\nType=oneshot\nExecStart=sh -c '{}'\n[Install]\nWantedBy=default.target\n",
        FETCH.replace('$', "$$")
    );
    machine.write("/etc/systemd/user/fetch.service", &unit);
    machine.root("systemctl --global enable fetch.service && loginctl enable-linger alice").succeeds();
    machine.root("rm -f /home/alice/fetched").succeeds();
    machine.reboot();
    assert_eq!(wait_for_fetched(&machine), "while she sleeps");
}

#[test]
fn a_service_of_the_system_fetches_its_token() {
    let machine = serving();
    machine.root_reading("for the service", "tokenvault put --owner machine web/key").succeeds();
    assert_eq!(machine.root("tokenvault get --owner machine web/key").succeeds(), "for the service");
    // One that runs as a user has that user's.
    machine.put(BOB, "web/key", "for his");
    let said = machine.enter(&[
        "systemd-run",
        "--pipe",
        "--wait",
        "--quiet",
        "--collect",
        "--property=User=bob",
        "tokenvault",
        "get",
        "web/key",
    ]);
    assert_eq!(said.succeeds(), "for his");
}
