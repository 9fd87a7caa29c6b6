//! What a shell offers when a key is pressed.

use std::fs;
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

/// The same where names are to be offered. The program gives up after half a second, which a busy machine can take from it.
pub fn offered_names(vault: &Vault, line: &str) -> Vec<String> {
    wait::until("names to be offered", || Some(offered(vault, line)).filter(|names| !names.is_empty()))
}

/// Presses a key at the end of `$2` in a zsh that finds the script in the directory `$1`, and prints the line.
const PRESS: &str = r#"
    zmodload zsh/zpty
    zpty inner zsh -f -i
    zpty -w inner 'PS1= RPS1=; fpath=('$1' $fpath); autoload -Uz compinit; compinit -u -D'
    zpty -w inner 'press() { zle complete-word; print -r -- "<$BUFFER>"; exit }; zle -N press; bindkey "^X" press'
    zpty -w -n inner "$2"$'\C-x'
    zpty -r -m inner said '*<tokenvault*>*'
    print -r -- $said
"#;

/// Runs a shell as Alice, with the programs in its path; what it prints.
fn shell(vault: &Vault, arguments: &[&str]) -> String {
    let mut shell: Command = ALICE.command("/usr/bin/timeout");
    let path = format!("{}:/usr/bin:/bin", program::path("tokenvault").parent().unwrap().display());
    shell.arg("60").args(arguments).env("PATH", path).env("HOME", "/nonexistent").env("TERM", "dumb");
    ok(shell.env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket)).output().unwrap())
}

/// Puts the script for a shell where that looks for it; the directory.
fn install(vault: &Vault, shell: &str, name: &str) -> String {
    let directory = vault.path().join(shell);
    fs::create_dir(&directory).unwrap();
    let script = ok(run(vault, ALICE, Door::Socket, &["tokenvault", "completion", shell]));
    fs::write(directory.join(name), script).unwrap();
    directory.to_str().unwrap().to_owned()
}

#[test]
fn zsh_completes_a_name_when_a_key_is_pressed() {
    let vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("prod/api", b"v", &defaults()).unwrap();
    let directory = install(&vault, "zsh", "_tokenvault");
    let press = || shell(&vault, &["zsh", "-f", "-c", PRESS, "zsh", &directory, "tokenvault get prod/a"]);
    // Where the program gave up, the line is as it was.
    let said =
        wait::until("a name to be offered", || Some(press()).filter(|said| !said.contains("<tokenvault get prod/a>")));
    assert!(said.contains("<tokenvault get prod/api >"), "{said}");
}

#[test]
fn fish_completes_a_name_when_a_key_is_pressed() {
    let vault = Vault::start();
    for name in ["prod/api", "prod/db"] {
        vault.client(ALICE, Door::Socket).put(name, b"v", &defaults()).unwrap();
    }
    let directory = install(&vault, "fish", "tokenvault.fish");
    let ask = format!("source {directory}/tokenvault.fish; complete -C 'tokenvault get prod/'");
    let press = || shell(&vault, &["fish", "--no-config", "-c", &ask]);
    let said = wait::until("names to be offered", || Some(press()).filter(|said| !said.is_empty()));
    assert_eq!(said, "prod/api\nprod/db\n");
}

#[test]
fn the_script_for_administrators_is_read_by_bash() {
    let vault = Vault::start();
    let script = vault.path().join("script");
    fs::write(&script, ok(run(&vault, ALICE, Door::Socket, &["tokenvaultctl", "completion", "bash"]))).unwrap();
    let said = shell(&vault, &["bash", "-c", ". \"$0\" && complete -p tokenvaultctl", script.to_str().unwrap()]);
    assert!(said.contains("tokenvaultctl"), "{said}");
}

#[test]
fn names_that_a_shell_would_run_are_not_offered() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    for name in ["t/plain", "t/a;reboot", "t/$(reboot)", "t/`reboot`", "t/*", "t/it's"] {
        alice.put(name, b"v", &defaults()).unwrap();
    }
    assert_eq!(offered_names(&vault, "tokenvault get t/"), ["t/plain"]);
}

#[test]
fn names_of_ones_own_tokens_are_offered_and_nobody_elses() {
    let vault = Vault::start();
    let (alice, bob) = (vault.client(ALICE, Door::Socket), vault.client(BOB, Door::Socket));
    for name in ["prod/api", "prod/db", "test/api", "two words"] {
        alice.put(name, b"v", &defaults()).unwrap();
    }
    bob.put("prod/of-bob", b"v", &defaults()).unwrap();
    assert_eq!(offered_names(&vault, "tokenvault get prod/"), ["prod/api", "prod/db"]);
    assert_eq!(offered_names(&vault, "tokenvault rm test"), ["test/api"]);
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
