//! `tokenvault list --follow` as a process: what it prints, how it ends, and what it does when the vault goes away.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdout, Stdio};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value as Json;
use tokenvault_tests::process::Process;
use tokenvault_tests::terminal::Terminal;

use crate::common::*;
use crate::run::*;

/// A `list --follow` that runs.
struct Follower {
    process: Process,
    lines: BufReader<ChildStdout>,
    said: ChildStderr,
}

impl Follower {
    fn start(vault: &Vault, user: User, door: Door, options: &[&str]) -> Self {
        let mut command = vault.command(user, "tokenvault", door);
        command.args(["list", "--follow"]).args(options);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, said) = (BufReader::new(child.stdout.take().unwrap()), child.stderr.take().unwrap());
        Self { process: Process::adopt(child), lines, said }
    }

    /// The next line: a test that waits for one that does not come is ended by its harness.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "it ended: {line:?}");
        line
    }

    /// Names of the list that is printed next.
    fn listed(&mut self) -> Vec<String> {
        let list = json(&self.line());
        let tokens = list["tokens"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
        tokens.iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Names in the next line, of a list or of an event.
    fn listed_or_told(&mut self) -> Vec<String> {
        let line = json(&self.line());
        let text = |name: &Json| name.as_str().unwrap().to_owned();
        match line["tokens"].as_array() {
            Some(tokens) => tokens.iter().map(|token| text(&token["name"])).collect(),
            None => vec![text(&line["name"])],
        }
    }

    /// Name, change and version of the event that is printed next.
    fn event(&mut self) -> (String, String, u64) {
        let event: Json = json(&self.line());
        assert_eq!((event["schema"].as_str(), event["event"].as_str()), (Some("tokenvault/1"), Some("token-changed")));
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("name"), text("change"), event["version"].as_u64().unwrap())
    }

    /// Ends it; what it has said on standard error.
    fn interrupt(mut self) -> String {
        self.process.signal(Signal::SIGTERM);
        let status = self.process.wait(wait::PATIENCE).expect("it does not end");
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{status}");
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        said
    }
}

fn event(name: &str, change: &str, version: u64) -> (String, String, u64) {
    (name.to_owned(), change.to_owned(), version)
}

through_both_doors! {
    fn the_list_comes_first_and_then_every_change(door) {
        let vault = Vault::start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("a", b"1", &defaults()).unwrap();
        let mut follower = Follower::start(&vault, ALICE, door, &["--json=short"]);
        assert_eq!(follower.listed(), ["a"]);
        bob.put("of bob", b"1", &defaults()).unwrap();
        alice.put("b", b"1", &defaults()).unwrap();
        alice.rename("a", "c", &defaults()).unwrap();
        alice.delete("b", &defaults()).unwrap();
        let told = [event("b", "put", 1), event("a", "renamed", 0), event("c", "renamed", 1), event("b", "deleted", 0)];
        assert_eq!([(); 4].map(|()| follower.event()), told);
        assert_eq!(follower.interrupt(), "");
    }

    fn only_what_is_listed_is_followed(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        let mut follower = Follower::start(&vault, ALICE, door, &["--prefix", "prod/", "--no-legend"]);
        // An empty list has no line: the first one shows that it follows.
        let line = wait::until("a line", || {
            alice.put("test/b", b"1", &defaults()).unwrap();
            alice.put("prod/b", b"1", &defaults()).unwrap();
            Some(follower.line())
        });
        assert!(line.contains("  prod/b  put, version ") || line.starts_with("prod/b "), "{line}");
        assert_eq!(follower.interrupt(), "");
        let mut follower = Follower::start(&vault, ROOT, door, &["--owner", "machine", "--json=short"]);
        assert_eq!(follower.listed(), [""; 0]);
        alice.put("c", b"1", &defaults()).unwrap();
        root.put("m", b"1", &PutOptions { owner: Some("machine".into()), ..defaults() }).unwrap();
        assert_eq!(follower.event(), event("m", "put", 1));
    }

    fn nothing_is_missed_of_what_is_put_meanwhile(door) {
        const COUNT: usize = 400;
        let vault = Vault::builder().limit("writes-per-second", 0).start();
        let (alice, name) = (vault.client(ALICE, door), |number: usize| format!("t{number:03}"));
        let seen = thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..COUNT {
                    alice.put(&name(number), b"1", &defaults()).unwrap();
                }
            });
            // It begins somewhere in the midst of them.
            wait::until("the first ones", || alice.describe(&name(COUNT / 8), &defaults()).ok());
            let mut follower = Follower::start(&vault, ALICE, door, &["--json=short"]);
            let mut seen = BTreeSet::from_iter(follower.listed());
            assert!(!seen.is_empty());
            while !seen.contains(&name(COUNT - 1)) {
                seen.extend(follower.listed_or_told());
            }
            assert_eq!(follower.interrupt(), "");
            seen
        });
        assert_eq!(seen, (0..COUNT).map(name).collect());
    }

    fn it_lists_anew_after_a_restart(door) {
        let mut vault = Vault::start();
        vault.client(ALICE, door).put("a", b"1", &defaults()).unwrap();
        let mut follower = Follower::start(&vault, ALICE, door, &["--json=short"]);
        assert_eq!(follower.listed(), ["a"]);
        vault.stop_daemon();
        vault.start_daemon();
        vault.wait_for_state("serving");
        assert_eq!(follower.listed(), ["a"]);
        vault.client(ALICE, door).put("b", b"1", &defaults()).unwrap();
        assert_eq!(follower.event(), event("b", "put", 1));
        let said = follower.interrupt();
        assert!(said.lines().count() == 1 && said.contains("waiting for the vault"), "{said}");
    }

    fn what_another_owner_shares_is_listed_anew_when_it_is_gone_and_there_again(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        alice.put("t", b"1", &defaults()).unwrap();
        alice.share("t", "user:bob", &defaults()).unwrap();
        let mut follower = Follower::start(&vault, BOB, door, &["--owner", "user:alice", "--json=short"]);
        assert_eq!(follower.listed(), ["t"]);
        let active = |active: bool| tokenvault_proto::SetUserOptions { active: Some(active), ..defaults() };
        root.set_user(ALICE.uid, &active(false)).unwrap();
        assert_eq!(follower.listed(), [""; 0]);
        root.set_user(ALICE.uid, &active(true)).unwrap();
        assert_eq!(follower.listed(), ["t"]);
        alice.put("t", b"2", &defaults()).unwrap();
        assert_eq!(follower.event(), event("t", "put", 2));
        root.purge_user(ALICE.uid).unwrap();
        assert_eq!(follower.listed(), [""; 0]);
    }

    fn it_ends_when_its_reader_does(door) {
        let vault = Vault::start();
        let mut follower = Follower::start(&vault, ALICE, door, &["--json=short"]);
        assert_eq!(follower.listed(), [""; 0]);
        let Follower { mut process, lines, said: _said } = follower;
        // Nothing has to change for it.
        drop(lines);
        let status = process.wait(wait::PATIENCE).expect("it does not end");
        assert_eq!(status.code(), Some(141));
    }
}

#[test]
fn a_long_list_at_a_terminal_is_followed_without_leaving_a_pager_first() {
    let vault = Vault::builder().limit("writes-per-second", 0).start();
    let alice = vault.client(ALICE, Door::Socket);
    for number in 0..30 {
        alice.put(&format!("t{number}"), b"1", &defaults()).unwrap();
    }
    let mut command = vault.command(ALICE, "tokenvault", Door::Socket);
    // A pager that shows nothing, and would not be left.
    command.args(["list", "--follow"]).env("TOKENVAULT_PAGER", "sleep infinity");
    let mut terminal = Terminal::start(command);
    terminal.expect("30 tokens listed.");
    alice.put("u", b"1", &defaults()).unwrap();
    terminal.expect("  u  put, version 1");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let vault = Vault::start();
    for option in ["--limit=1", "--expires-before=1d", "--attribute=a=b"] {
        let (status, line) = failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "list", "--follow", option]));
        assert!(status == 2 && line.contains("--follow"), "{line}");
    }
    let with_me = ["tokenvault", "list", "--follow", "--shared-with-me"];
    let (status, line) = failed(run(&vault, ALICE, Door::Socket, &with_me));
    assert!(status == 2 && line.contains("--shared-with-me"), "{line}");
    let (status, line) =
        failed(run(&vault, ALICE, Door::Socket, &["tokenvault", "--address", "unix:path=/nowhere", "list", "-f"]));
    assert_eq!(status, 8, "a vault that is not there at first is not waited for: {line}");
}
