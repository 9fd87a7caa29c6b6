//! Two people at one machine.

use crate::common::*;

/// `NotFound`, by the table of exit statuses.
const NO_SUCH_TOKEN: i32 = 3;

#[test]
fn two_users_do_not_see_each_other() {
    let machine = serving();
    machine.put(ALICE, "prod/alice", "hers");
    machine.put(BOB, "prod/bob", "his");
    for door in Door::ALL {
        let bob = |command: &str| machine.user(BOB, &door.shell(command));
        // Where to look next is said by what was asked for.
        for owner in ["", " --owner user:alice"] {
            let said = |name| bob(&format!("tokenvault get {name}{owner}")).fails_with(NO_SUCH_TOKEN);
            let (foreign, missing) = (said("prod/alice"), said("prod/nobody"));
            assert_eq!(foreign.replace("prod/alice", "prod/nobody"), missing, "a foreign token is like a missing one");
        }
        assert_eq!(bob("tokenvault list --no-legend").succeeds().lines().count(), 1);
        bob("tokenvault rm prod/alice").fails_with(NO_SUCH_TOKEN);
        assert_eq!(machine.user(ALICE, &door.shell("tokenvault get prod/alice")).succeeds(), "hers");
        assert_eq!(bob("tokenvault get prod/bob").succeeds(), "his");
    }
}

#[test]
fn root_has_no_way_to_the_tokens_of_a_user() {
    let machine = serving();
    machine.put(ALICE, "prod/alice", "hers");
    for door in Door::ALL {
        machine.root(&door.shell("tokenvault get prod/alice --owner user:alice")).fails_with(NO_SUCH_TOKEN);
        assert_eq!(machine.root(&door.shell("tokenvault list --no-legend")).succeeds(), "");
    }
}

#[test]
fn the_files_of_the_vault_are_for_the_daemon_alone() {
    let machine = serving();
    machine.put(ALICE, "prod/alice", "where-is-this-kept");
    machine.user(ALICE, "ls /var/lib/tokenvault").fails();
    let owners = machine.root("find /var/lib/tokenvault -printf '%u %m\\n' | sort -u").succeeds();
    assert!(owners.lines().all(|line| line == "tokenvault 700" || line == "tokenvault 600"), "{owners}");
    machine.root("grep -r where-is-this-kept /var/lib/tokenvault").fails_with(1);
    machine.user(ALICE, "test -w /run/tokenvault/bus && test ! -w /run/tokenvault/credentials").succeeds();
}
