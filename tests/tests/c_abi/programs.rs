//! C programs that do what others may do, or must not. What each is about stands at its head, in `tests/c`.

use tokenvault_tests::{ALICE, Door, ROOT, User, Vault, stage};

use crate::kit::{self, Under};
use crate::under_everything;

/// Runs a program, which must end well and say nothing.
fn run(vault: &Vault, name: &str, door: Door, under: Under) {
    run_as(ALICE, vault, name, door, under);
}

fn run_as(user: User, vault: &Vault, name: &str, door: Door, under: Under) {
    let program = kit::compile(vault, &kit::source(name), under);
    let output = kit::succeed(&mut kit::command(vault, user, door, &program, under));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "the library writes to no stream");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the library writes to no stream");
}

/// Programs that miss on purpose, over and over.
fn patient_vault() -> Vault {
    Vault::builder().limit("misses-per-second", 0).start()
}

under_everything! {
    fn every_function_does_what_the_header_says(under) {
        run(&Vault::start(), "functions.c", Door::Socket, under);
    }

    fn machine_tokens_are_shared_with_units(under) {
        run_as(ROOT, &Vault::start(), "shares.c", Door::Socket, under);
    }

    fn null_and_garbage_are_refused_in_every_argument(under) {
        run(&patient_vault(), "arguments.c", Door::Socket, under);
    }

    fn eight_threads_share_a_client(under) {
        run(&patient_vault(), "threads.c", Door::Socket, under);
    }

    fn a_forked_child_opens_a_client_of_its_own(under) {
        run(&Vault::start(), "fork.c", Door::Socket, under);
    }

    fn a_guest_leaves_nothing_behind(under) {
        run(&patient_vault(), "guest.c", Door::Socket, under);
    }
}

#[test]
fn every_function_works_over_the_bus() {
    run(&Vault::start(), "functions.c", Door::Bus, Under::Plain);
}

#[test]
fn null_and_garbage_are_refused_over_the_bus() {
    run(&patient_vault(), "arguments.c", Door::Bus, Under::Plain);
}

#[test]
fn threads_and_forks_get_on_over_the_bus() {
    run(&patient_vault(), "threads.c", Door::Bus, Under::Plain);
    run(&Vault::start(), "fork.c", Door::Bus, Under::Plain);
}

#[test]
fn the_programs_use_every_function_of_the_header() {
    let header = std::fs::read_to_string(stage::root().join("usr/include/tokenvault.h")).unwrap();
    for name in ["functions.c", "arguments.c"] {
        let program = std::fs::read_to_string(kit::source(name)).unwrap();
        for function in functions(&header) {
            let is_about_it = name == "functions.c" || function != "tokenvault_version";
            assert!(!is_about_it || program.contains(&format!("{function}(")), "{name} does not call {function}");
        }
    }
}

/// The names of the functions that a header declares.
fn functions(header: &str) -> Vec<&str> {
    let code = header.lines().filter(|line| !line.starts_with(" *"));
    let before =
        code.filter_map(|line| line.split_once('(')).filter_map(|(before, _)| before.rsplit([' ', '*']).next());
    let functions: Vec<&str> = before.filter(|name| name.starts_with("tokenvault_")).collect();
    assert!(functions.len() > 20, "{functions:?}");
    functions
}
