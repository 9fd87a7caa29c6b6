//! What a shell offers when a key is pressed.

use std::process::Command;

use tokenvault_tests::program;

use crate::common::*;
use crate::run::*;

/// What bash offers for a line, with the script that the program prints.
pub fn offered(vault: &Vault, line: &str) -> Vec<String> {
    let script = ok(run(vault, ALICE, Door::Socket, &["tokenvault", "completion", "bash"]));
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = (words.len() - 1, if words.len() > 1 { words[words.len() - 2] } else { "" });
    let ask = format!(
        "{script}\nCOMP_WORDS=({line}); COMP_CWORD={last}; COMP_TYPE=9\n\
         _clap_complete_tokenvault tokenvault '{}' '{before}' 2>/dev/null\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words[last]
    );
    let mut bash: Command = ALICE.command("/bin/bash");
    let path = format!("{}:/usr/bin:/bin", program::path("tokenvault").parent().unwrap().display());
    bash.args(["-c", &ask]).env("PATH", path).env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket));
    let output = bash.output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn names_of_ones_own_tokens_are_offered_and_nobody_elses() {
    let vault = Vault::start();
    let (alice, bob) = (vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Socket));
    for name in ["prod/api", "prod/db", "test/api", "two words"] {
        alice.put(name, b"v", &defaults()).unwrap();
    }
    bob.put("prod/of-bob", b"v", &defaults()).unwrap();
    assert_eq!(offered(&vault, "tokenvault get prod/"), ["prod/api", "prod/db"]);
    assert_eq!(offered(&vault, "tokenvault rm test"), ["test/api"]);
    assert!(offered(&vault, "tokenvault whoa").contains(&"whoami".to_owned()));
    assert!(offered(&vault, "tokenvault put --exp").iter().any(|word| word == "--expires"));
}

#[test]
fn a_vault_that_does_not_answer_offers_no_name_and_holds_nobody_up() {
    let mut vault = Vault::start();
    vault.daemon().process().signal(nix::sys::signal::Signal::SIGSTOP);
    let begun = std::time::Instant::now();
    assert_eq!(offered(&vault, "tokenvault get prod/"), Vec::<String>::new());
    assert!(begun.elapsed() < Duration::from_secs(10));
    vault.daemon().process().signal(nix::sys::signal::Signal::SIGCONT);
}
