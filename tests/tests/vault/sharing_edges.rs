//! Sharing at its edges: owners who are called otherwise now, and processes in very many groups.

use std::process::{Command, Stdio};

use tokenvault_tests::program;

use crate::common::*;
use crate::run::*;

through_both_doors! {
    fn the_tokens_of_somebody_who_had_the_uid_of_an_owner_are_not_taken_for_that_owners(door) {
        let mut vault = Vault::builder().limit("misses-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"of alice", &defaults()).unwrap();
        alice.share("t", "user:bob", &ShareOptions { permission: Some("write".into()), ..defaults() }).unwrap();
        drop(alice);
        let get = |owner: &str| GetOptions { owner: Some(owner.into()), ..defaults() };
        let put = |owner: &str| PutOptions { owner: Some(owner.into()), ..defaults() };
        let list = |owner: &str| ListOptions { owner: Some(owner.into()), ..defaults() };
        let bob = vault.client(BOB, door);
        assert_eq!(bob.get("t", &get("user:alice")).unwrap().data(), b"of alice");
        drop(bob);
        vault.users().hand_over(ALICE.uid, Some("mallory")).unwrap();
        vault.restart();
        vault.wait_for_state("serving");
        let bob = vault.client(BOB, door);
        assert_eq!(code(bob.get("t", &get("user:mallory"))), ErrorCode::NotFound);
        assert_eq!(code(bob.put("t", b"for mallory", &put("user:mallory"))), ErrorCode::NotFound);
        assert_eq!(bob.list(&list("user:mallory")).unwrap().0, []);
        assert_eq!(code(bob.get("t", &get("user:alice"))), ErrorCode::NotFound, "nobody is called so");
        let by_uid = || bob.get("t", &get("uid:4242")).err().filter(|error| error.code() == ErrorCode::NotFound);
        wait::until("it to be seen that what she shared is frozen", by_uid);
    }
}

/// Runs a command at the private door as bob, in so many groups beside his own.
fn as_bob_in(vault: &Vault, groups: u32, arguments: &[&str]) -> std::process::Output {
    let gids: Vec<String> = (100_000..100_000 + groups).map(|gid| gid.to_string()).collect();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=4243", "--regid=4243", &format!("--groups=4243,{}", gids.join(","))]);
    command.arg(program::path(arguments[0])).args(&arguments[1..]).stdin(Stdio::null());
    command.env("TOKENVAULT_ADDRESS", vault.address_text(Door::Socket)).output().unwrap()
}

#[test]
fn a_process_in_more_groups_than_are_looked_for_is_told_which_limit_that_is() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"of alice", &defaults()).unwrap();
    alice.share("t", "group:bob", &defaults()).unwrap();
    let get = ["tokenvault", "get", "t", "--owner", "uid:4242"];
    let list = ["tokenvault", "list", "--shared-with-me"];
    assert_eq!(ok(as_bob_in(&vault, 900, &get)), "of alice");
    assert!(ok(as_bob_in(&vault, 900, &list)).contains('t'));
    for arguments in [&get[..], &list, &["tokenvault", "versions", "t", "--owner", "uid:4242"]] {
        let (status, line) = failed(as_bob_in(&vault, 1_100, arguments));
        assert!(status == 7 && line.contains("'groups'") && line.contains("1024"), "{arguments:?}: {line}");
    }
    assert_eq!(ok(as_bob_in(&vault, 1_100, &["tokenvault", "list", "--no-legend"])), "");
}
