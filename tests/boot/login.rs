//! Logins of every kind on a machine with the PAM module switched on: they succeed and fail as they would without it,
//! whatever state the vault is in.

use std::time::{Duration, Instant};

use crate::common::*;
use crate::machine::Terminal;

/// What the module may add to a login, and what the login itself takes.
const LOGIN_MAX: Duration = Duration::from_secs(2 + 8);
/// What a shell at a terminal shows when it is ready.
pub const PROMPT: &str = "$ ";

/// A machine whose vault serves, and with the module in every login.
pub fn with_module() -> Machine {
    let machine = serving();
    enable_module(&machine);
    machine
}

/// Switches the module on, as an administrator does.
pub fn enable_module(machine: &Machine) {
    machine.root("DEBIAN_FRONTEND=noninteractive pam-auth-update --enable tokenvault").succeeds();
    machine.root("grep -q pam_tokenvault.so /etc/pam.d/common-auth /etc/pam.d/common-session").succeeds();
}

/// login(1), as it runs at a console.
pub fn console(machine: &Machine, (name, password): (&str, &str)) -> Terminal {
    let mut terminal = machine.terminal(&["login"]);
    terminal.expect("login: ");
    terminal.type_line(name);
    terminal.answer_hidden("Password: ", password);
    terminal
}

/// `su -l` by somebody who is logged in: the login manager makes no session of it.
fn su(machine: &Machine, (name, password): (&str, &str)) -> Terminal {
    let mut terminal = machine.terminal(&["login", "-f", BOB.0]);
    terminal.expect(PROMPT);
    terminal.type_line(&format!("exec su -l {name}"));
    terminal.answer_hidden("Password: ", password);
    terminal
}

/// ssh with a password.
fn ssh(machine: &Machine, (name, password): (&str, &str)) -> Terminal {
    let to = format!("{name}@127.0.0.1");
    let known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    let mut terminal = machine.terminal(&[&["ssh"][..], &known, &["-o", "PubkeyAuthentication=no", &to]].concat());
    terminal.answer_hidden("password: ", password);
    terminal
}

/// sudo, in a session of the administrator.
fn sudo(machine: &Machine, password: &str) -> Terminal {
    let mut terminal = machine.terminal(&["su", "-l", ADMIN.0]);
    terminal.expect(PROMPT);
    terminal.type_line("sudo -k; sudo sh -c 'echo became $(id -un)'");
    terminal.answer_hidden("password for admin: ", password);
    terminal
}

pub type LogIn = fn(&Machine, (&str, &str)) -> Terminal;

/// What opens a session of a user with that user's password.
pub const LOGINS: [(&str, LogIn); 3] = [("login", console), ("su", su), ("ssh", ssh)];

/// Every kind of login succeeds in time.
#[track_caller]
pub fn assert_everyone_gets_in(machine: &Machine) {
    for (name, log_in) in LOGINS {
        let begin = Instant::now();
        let mut terminal = log_in(machine, ALICE);
        terminal.expect(PROMPT);
        assert!(begin.elapsed() < LOGIN_MAX, "{name} took {:?}", begin.elapsed());
        terminal.type_line("echo I am $(id -un)");
        terminal.expect("I am alice");
        terminal.type_line("exit");
        assert!(terminal.ends(), "{name}");
    }
    let mut terminal = sudo(machine, ADMIN.1);
    terminal.expect("became root");
}

#[test]
fn everyone_gets_in_with_a_password_while_the_vault_serves() {
    assert_everyone_gets_in(&with_module());
}

#[test]
fn everyone_gets_in_while_the_vault_is_sealed() {
    let machine = with_module();
    machine.root("tokenvaultctl seal").succeeds();
    assert_everyone_gets_in(&machine);
}

#[test]
fn everyone_gets_in_while_the_vault_is_absent() {
    let machine = with_module();
    machine.root(&format!("systemctl mask --now {SERVICE} {} {}", SOCKETS[0], SOCKETS[1])).succeeds();
    assert_everyone_gets_in(&machine);
}

#[test]
fn everyone_gets_in_while_the_vault_hangs() {
    let machine = with_module();
    // Its watchdog would have it killed in the middle of this.
    machine.write("/run/systemd/system/tokenvaultd.service.d/hang.conf", "[Service]\nWatchdogSec=0\n");
    machine.root(&format!("systemctl daemon-reload && systemctl restart {SERVICE}")).succeeds();
    machine.root(&format!("systemctl kill --signal=STOP {SERVICE}")).succeeds();
    assert_everyone_gets_in(&machine);
    machine.root(&format!("systemctl kill --signal=CONT {SERVICE}")).succeeds();
}

#[test]
fn everyone_gets_in_while_the_helper_is_killed_as_soon_as_it_starts() {
    let machine = with_module();
    machine.write("/usr/libexec/tokenvault/tokenvault-pam-helper", "#!/bin/sh\nkill -KILL $$\n");
    assert_everyone_gets_in(&machine);
}

#[test]
fn nobody_gets_in_with_a_wrong_password() {
    let machine = with_module();
    let wrong = (ALICE.0, "not hers");
    console(&machine, wrong).expect("Login incorrect");
    su(&machine, wrong).expect("Authentication failure");
    ssh(&machine, wrong).expect("Permission denied");
    sudo(&machine, wrong.1).expect("Sorry, try again");
}

#[test]
fn what_the_module_was_given_is_nowhere_to_be_read_later() {
    let machine = with_module();
    assert_everyone_gets_in(&machine);
    let count = |words: &str| {
        machine
            .root_reading(words, "cat >/run/words && journalctl --no-pager | grep -cF -f /run/words; true")
            .succeeds()
    };
    for (_, password) in [ALICE, ADMIN] {
        assert_eq!(count(password), "0", "no password is in the journal");
    }
    assert_ne!(count("session opened for user alice"), "0", "the control: what the journal has is found in it");
}

#[test]
fn everyone_gets_in_when_the_module_was_removed() {
    for remove in ["remove", "purge"] {
        let machine = with_module();
        machine.root(&format!("DEBIAN_FRONTEND=noninteractive apt-get -q -y {remove} libpam-tokenvault")).succeeds();
        machine.root("grep -r pam_tokenvault /etc/pam.d").fails_with(1);
        assert_everyone_gets_in(&machine);
    }
}
