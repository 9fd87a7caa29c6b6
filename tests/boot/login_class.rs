//! What a login opens: the tokens of the class `login`, for as long as their owner is logged in.

use crate::common::*;
use crate::login::{LOGINS, PROMPT, console, with_module};
use crate::machine::Terminal;

/// `Locked`, by the table of exit statuses.
const LOCKED: i32 = 6;
const VALUE: &str = "for her eyes alone";
const NEW_PASSWORD: &str = "quite another one of alice's";

/// A machine on which alice has a login class, locked, with one token in it.
fn with_login_class() -> Machine {
    let machine = with_module();
    let mut terminal = console(&machine, ALICE);
    terminal.expect(PROMPT);
    let make = format!("printf %s \"{}\" | tokenvault unlock --password-fd 0 --recovery-out code", ALICE.1);
    let store = format!("printf %s '{VALUE}' | tokenvault put secret --class login");
    terminal.type_line(&format!("{make} && {store} && echo made $((1 + 1))"));
    terminal.expect("made 2");
    log_out(terminal);
    wait_until_locked(&machine);
    machine
}

/// Whoever is alice, from whatever program, is told the same.
#[track_caller]
fn assert_locked(machine: &Machine) {
    machine.user(ALICE, "tokenvault get secret").fails_with(LOCKED);
}

fn wait_until_locked(machine: &Machine) {
    wait::until("the login class to be closed", || {
        machine.user(ALICE, "tokenvault get secret").ok().is_none().then_some(())
    });
    assert_locked(machine);
}

/// She is logged in by the other one, and the vault hears of the end of the one a moment after it.
#[track_caller]
fn assert_stays_open(machine: &Machine, name: &str) {
    for _ in 0..5 {
        assert_eq!(machine.user(ALICE, "tokenvault get secret").succeeds(), VALUE, "{name}: she is still logged in");
    }
}

/// A shell has come up, and the token is readable there.
#[track_caller]
fn assert_reads(terminal: &mut Terminal) {
    terminal.expect(PROMPT);
    terminal.type_line("echo \"<$(tokenvault get secret)>\"");
    terminal.expect(&format!("<{VALUE}>"));
    terminal.expect(PROMPT);
}

#[track_caller]
fn log_out(mut terminal: Terminal) {
    terminal.type_line("exit");
    terminal.ends();
}

#[test]
fn a_login_with_the_password_opens_and_the_end_of_the_last_session_closes() {
    let machine = with_login_class();
    for (name, log_in) in LOGINS {
        let mut terminal = log_in(&machine, ALICE);
        assert_reads(&mut terminal);
        let second = || {
            let mut second = console(&machine, ALICE);
            assert_reads(&mut second);
            second
        };
        // Whichever of two ends first.
        log_out(second());
        assert_stays_open(&machine, name);
        let second = second();
        log_out(terminal);
        assert_stays_open(&machine, name);
        log_out(second);
        wait_until_locked(&machine);
    }
}

/// Logs out, and leaves something running that keeps the session of the login manager from being over.
#[track_caller]
fn log_out_leaving_something(machine: &Machine, mut terminal: Terminal) {
    terminal.type_line("nohup sleep infinity >/dev/null 2>&1 & echo left $((1 + 1))");
    terminal.expect("left 2");
    log_out(terminal);
    wait_until_locked(machine);
    wait::until("what she leaves running", || machine.root("pgrep --euid alice --exact sleep").ok());
    // The login manager hears of the end of a session on its own, at times after the vault.
    wait::until("a session that is over but for what she left", || {
        let state = machine.root("loginctl show-user --property=State --value alice").ok()?;
        (state.trim() == "closing").then_some(())
    });
    assert_locked(machine);
}

#[test]
fn what_a_user_leaves_running_does_not_keep_it_open() {
    let machine = with_login_class();
    let mut terminal = console(&machine, ALICE);
    assert_reads(&mut terminal);
    log_out_leaving_something(&machine, terminal);
    machine.root("pkill --euid alice --exact sleep").succeeds();

    // Where no lease tells of the logout either.
    machine.root("DEBIAN_FRONTEND=noninteractive pam-auth-update --disable tokenvault").succeeds();
    let mut terminal = console(&machine, ALICE);
    terminal.expect(PROMPT);
    terminal.type_line("tokenvault unlock");
    terminal.answer_hidden("Login password", ALICE.1);
    assert_reads(&mut terminal);
    log_out_leaving_something(&machine, terminal);
}

#[test]
fn a_login_without_a_password_leaves_it_locked_and_unlock_asks() {
    let machine = with_login_class();
    machine.user(ALICE, "ssh-keygen -q -t ed25519 -N '' -f $HOME/key && mkdir -m 700 $HOME/.ssh").succeeds();
    machine.user(ALICE, "mv $HOME/key.pub $HOME/.ssh/authorized_keys").succeeds();
    let options = "-i $HOME/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -tt alice@127.0.0.1";
    let mut terminal = machine.terminal(&["runuser", "-u", "alice", "--", "sh", "-c", &format!("exec ssh {options}")]);
    terminal.expect(PROMPT);
    assert_locked(&machine);
    terminal.type_line("tokenvault unlock");
    terminal.answer_hidden("Login password", ALICE.1);
    assert_reads(&mut terminal);
}

#[test]
fn a_password_that_its_owner_changes_opens_it_from_then_on() {
    let machine = with_login_class();
    let mut terminal = console(&machine, ALICE);
    assert_reads(&mut terminal);
    terminal.type_line("passwd");
    terminal.answer_hidden("Current password: ", ALICE.1);
    terminal.answer_hidden("New password: ", NEW_PASSWORD);
    terminal.answer_hidden("Retype new password: ", NEW_PASSWORD);
    terminal.expect("updated successfully");
    log_out(terminal);
    wait_until_locked(&machine);
    let mut terminal = console(&machine, (ALICE.0, NEW_PASSWORD));
    assert_reads(&mut terminal);
}

#[test]
fn a_password_that_root_sets_leaves_it_locked_until_the_old_one_was_given_once() {
    let machine = with_login_class();
    machine.root_reading(&format!("alice:{NEW_PASSWORD}\n"), "chpasswd").succeeds();
    let new = (ALICE.0, NEW_PASSWORD);
    let mut terminal = console(&machine, new);
    terminal.expect(PROMPT);
    assert_locked(&machine);
    terminal.type_line("tokenvault unlock");
    terminal.answer_hidden("Login password", NEW_PASSWORD);
    terminal.answer_hidden("Password before the change", ALICE.1);
    terminal.answer_hidden("Login password, again", NEW_PASSWORD);
    assert_reads(&mut terminal);
    log_out(terminal);
    wait_until_locked(&machine);
    let mut terminal = console(&machine, new);
    assert_reads(&mut terminal);
}

#[test]
fn the_password_of_somebody_else_is_not_tried() {
    let machine = with_login_class();
    // One that would open it, if it were.
    machine.root_reading(&format!("{}:{}\n", ADMIN.0, ALICE.1), "chpasswd").succeeds();
    let mut terminal = machine.terminal(&["su", "-l", ADMIN.0]);
    terminal.expect(PROMPT);
    terminal.type_line("sudo -k -i -u alice");
    terminal.answer_hidden("password for admin: ", ALICE.1);
    terminal.expect(PROMPT);
    assert_locked(&machine);
    // The control: it is the one that opens it.
    assert_reads(&mut console(&machine, ALICE));
}

#[test]
fn who_is_logged_in_stays_so_over_a_restart_of_the_service() {
    let machine = with_login_class();
    let mut terminal = console(&machine, ALICE);
    assert_reads(&mut terminal);
    machine.root(&format!("systemctl restart {SERVICE}")).succeeds();
    terminal.type_line("true");
    assert_reads(&mut terminal);
    log_out(terminal);
    wait_until_locked(&machine);
}

#[test]
fn a_session_in_which_nobody_sits_keeps_nothing_open() {
    let machine = with_login_class();
    machine.write("/etc/pam.d/unattended", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_systemd.so class=background\n");
    machine.root("loginctl enable-linger alice").succeeds();
    machine.root("systemd-run --quiet --unit=unattended -p PAMName=unattended -p User=alice sleep infinity").succeeds();
    let class =
        "loginctl --no-legend list-sessions | while read id rest; do loginctl show-session -p Class --value $id; done";
    wait::until("a session of a job", || (machine.root(class).succeeds() == "background").then_some(()));
    let mut terminal = console(&machine, ALICE);
    assert_reads(&mut terminal);
    log_out(terminal);
    wait_until_locked(&machine);
    assert_eq!(machine.root(class).succeeds(), "background", "the job goes on");
}

#[test]
fn what_nobody_is_logged_in_for_reads_the_machine_class_alone() {
    let machine = with_login_class();
    machine.put(ALICE, "nightly/backup", "of the machine");
    let job = "tokenvault get nightly/backup; tokenvault get secret; echo status $?";
    machine.root("loginctl enable-linger alice").succeeds();
    let unit = machine.root(&format!("systemd-run --user -M alice@ --pipe --wait --quiet --collect sh -c '{job}'"));
    let said = unit.succeeds();
    assert!(said.contains("of the machine") && said.ends_with(&format!("status {LOCKED}")), "{said}");
    machine.write("/opt/job", &format!("({job}) >$HOME/said.new; mv $HOME/said.new $HOME/said\n"));
    machine
        .root("echo '@reboot sh /opt/job' | crontab -u alice - && rm -f /run/crond.reboot && systemctl restart cron")
        .succeeds();
    let said = wait::until("a job of cron", || machine.user(ALICE, "cat /home/alice/said").ok());
    assert!(said.contains("of the machine") && said.ends_with(&format!("status {LOCKED}")), "{said}");
}
