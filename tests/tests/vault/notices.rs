//! `tokenvaultctl notify`: a command is run with what expires, once for each, and again only where it failed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use tokenvault_proto::ExpiringOptions;

use crate::common::*;
use crate::run::*;

const HOUR: u64 = 3_600_000_000;

/// A vault with a token of Alice's that became due half an hour ago, and one that has long been; when it was last told.
fn vault_with_something_due() -> Vault {
    let vault = Vault::builder().extra("notify.expiring-before = [\"1h\"]").start();
    let ends_in = |usec| PutOptions { ttl: Some(usec), ..defaults() };
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("prod/key", b"a secret value", &ends_in(HOUR / 2)).unwrap();
    alice.put("later", b"v", &ends_in(2 * HOUR)).unwrap();
    fs::write(vault.path().join("told"), format!("{}\n", now() - 2 * HOUR)).unwrap();
    vault
}

/// A hook that keeps what it is given, and its environment.
fn hook(vault: &Vault, end: &str) -> String {
    let (path, kept) = (vault.path().join("hook"), vault.path().join("kept"));
    let script = format!("#!/bin/sh\ncat >>{0}\nenv >{0}.env\necho \"$@\" >{0}.words\n{end}\n", kept.display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn notify(vault: &Vault, user: User, door: Door, command: &[&str]) -> Output {
    let state = vault.path().join("told");
    let words = ["tokenvaultctl", "notify", "--state", state.to_str().unwrap(), "--"];
    run(vault, user, door, &[&words, command].concat())
}

fn kept(vault: &Vault, what: &str) -> String {
    fs::read_to_string(vault.path().join(what)).unwrap_or_default()
}

through_both_doors! {
    fn a_command_is_told_of_each_token_once(door) {
        let vault = vault_with_something_due();
        let hook = hook(&vault, "exit 0");
        ok(notify(&vault, ROOT, door, &[&hook, "one word", "$(id)"]));
        let said = kept(&vault, "kept");
        let event = json(said.trim_end());
        assert_eq!(said.lines().count(), 1, "{said}");
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("event"), text("owner"), text("name")), ("token-expiring".into(), "uid:4242".into(), "prod/key".into()));
        assert_eq!((text("user").as_str(), event["version"].as_u64()), ("alice", Some(1)));
        assert!(event["expires"].as_u64().unwrap() > now() && !said.contains("secret value"), "{said}");
        assert_eq!(kept(&vault, "kept.words").trim_end(), "one word $(id)", "no shell has seen its arguments");
        let environment = kept(&vault, "kept.env");
        assert!(!environment.contains("TOKENVAULT") && environment.contains("LANG=C.UTF-8"), "{environment}");
        ok(notify(&vault, ROOT, door, &[&hook]));
        assert_eq!(kept(&vault, "kept"), said, "it was told");
    }

    fn what_a_command_did_not_take_is_told_again(door) {
        let vault = vault_with_something_due();
        let before = kept(&vault, "told");
        let failing = hook(&vault, "exit 3");
        let (status, line) = failed(notify(&vault, ROOT, door, &[&failing]));
        assert!(status == 1 && line.contains("exit status: 3") && line.contains("again"), "{line}");
        let (status, _) = failed(notify(&vault, ROOT, door, &["/nowhere/hook"]));
        assert_eq!((status, kept(&vault, "told")), (2, before));
        ok(notify(&vault, ROOT, door, &[&hook(&vault, "exit 0")]));
        assert_eq!(kept(&vault, "kept").lines().count(), 2);
    }

    fn only_administrators_have_it_told(door) {
        let vault = vault_with_something_due();
        let (status, _) = failed(notify(&vault, ALICE, door, &["/bin/true"]));
        assert_eq!(status, 4);
    }
}

#[test]
fn a_first_run_tells_nothing_and_begins_to_count() {
    let vault = vault_with_something_due();
    fs::remove_file(vault.path().join("told")).unwrap();
    ok(notify(&vault, ROOT, Door::Socket, &[&hook(&vault, "exit 0")]));
    assert_eq!(kept(&vault, "kept"), "");
    assert!(kept(&vault, "told").trim_end().parse::<u64>().unwrap() <= now());
}

through_both_doors! {
    fn what_becomes_due_between_two_times_is_asked_for(door) {
        let vault = Vault::builder().extra("notify.expiring-before = [\"1h\"]").start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        for (name, hours) in [("soon", 2), ("later", 4)] {
            alice.put(name, b"v", &PutOptions { ttl: Some(hours * HOUR), ..defaults() }).unwrap();
        }
        let due = |since: u64, until: u64| {
            let asked = ExpiringOptions {
                since: Some(now() + since * HOUR / 2),
                until: Some(now() + until * HOUR / 2),
                after: Some(String::new()),
            };
            let (tokens, next) = root.expiring(&asked).unwrap();
            assert_eq!(next, "");
            tokens.into_iter().map(|token| token.name).collect::<Vec<_>>().join(" ")
        };
        // An hour before they expire, in one hour and in three; and when they do.
        assert_eq!(["soon", "later", "soon"].map(str::to_owned), [due(1, 3), due(5, 7), due(3, 5)]);
        let nonsense = ExpiringOptions { after: Some("no place".into()), ..defaults() };
        assert_eq!(code(root.expiring(&nonsense)), ErrorCode::InvalidArgs);
    }
}
