//! Administration by somebody who is not root: polkit asks for a password at the terminal, and its answer counts.

use crate::common::*;
use crate::login::{PROMPT, console};
use crate::machine::Terminal;

/// `AccessDenied`, by the table of exit statuses.
const DENIED: i32 = 4;

/// Somebody at a terminal, who has asked for what administrators may and is asked for a password.
fn asked(machine: &Machine, user: (&str, &str)) -> Terminal {
    let mut terminal = console(machine, user);
    terminal.expect(PROMPT);
    terminal.type_line("tokenvaultctl slot list --no-legend; echo status $?");
    terminal.expect("Authentication is required to administer the vault for tokens");
    terminal
}

#[test]
fn an_administrator_is_asked_for_a_password_and_administers() {
    let machine = serving();
    let mut terminal = asked(&machine, ADMIN);
    terminal.answer_hidden("Password: ", ADMIN.1);
    terminal.expect("tpm2");
    terminal.expect("status 0");
}

#[test]
fn a_wrong_password_and_no_password_administer_nothing() {
    let machine = serving();
    let mut terminal = asked(&machine, ADMIN);
    terminal.answer_hidden("Password: ", "not the administrator's");
    terminal.expect(&format!("status {DENIED}"));
    // Alice is no administrator: it is the password of one that is asked for, and hers is none.
    let mut terminal = asked(&machine, ALICE);
    terminal.answer_hidden("Password: ", ALICE.1);
    terminal.expect(&format!("status {DENIED}"));
    // Where nobody can be asked.
    for door in Door::ALL {
        machine.user(ALICE, &door.shell("tokenvaultctl slot list")).fails_with(DENIED);
    }
}

#[test]
fn without_polkit_root_administers_and_nobody_else() {
    let machine = serving();
    machine.root("systemctl mask --now polkit.service").succeeds();
    machine.user(ADMIN, "tokenvaultctl slot list").fails_with(DENIED);
    machine.root("tokenvaultctl slot list").succeeds();
}
