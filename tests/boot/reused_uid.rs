//! A user who is deleted, and another one who is given the uid: not one token is read, whether or not the vault is told.

use crate::common::*;

/// `Locked`, by the table of exit statuses.
const LOCKED: i32 = 6;
/// `NotFound`, by the table of exit statuses.
const NOT_FOUND: i32 = 3;
/// `AccessDenied`, by the table of exit statuses.
const DENIED: i32 = 4;
const NAME: &str = "prod/api-key";
const VALUE: &str = "what-alice-keeps";
const SECRET: &str = "what-alice-locks";
const PASSWORD: &str = "alices-password";
const MALLORY: (&str, &str) = ("mallory", "");
/// What userdel calls.
const HOOKS: &str = "/etc/shadow-maint/userdel-pre.d/tokenvault /etc/shadow-maint/userdel-post.d/tokenvault";

/// Every method that has to do with what somebody stores, and a command that calls it.
const CALLS: [(&str, &str); 20] = [
    ("Get", "tokenvault get prod/api-key"),
    ("Get", "tokenvault get mail/password"),
    ("Put", "printf forged | tokenvault put prod/api-key"),
    ("Put", "printf forged | tokenvault put new"),
    ("Generate", "tokenvault generate prod/api-key"),
    ("Describe", "tokenvault describe prod/api-key"),
    ("List", "tokenvault list"),
    ("Subscribe", "tokenvault list --follow"),
    ("Annotate", "tokenvault annotate prod/api-key --attribute forged=yes"),
    ("Rename", "tokenvault mv prod/api-key prod/mine"),
    ("Delete", "tokenvault rm prod/api-key"),
    ("Versions", "tokenvault versions prod/api-key"),
    ("Rollback", "tokenvault rollback prod/api-key 1"),
    ("Share", "tokenvault share prod/api-key unit:app.service"),
    ("Unshare", "tokenvault unshare prod/api-key unit:app.service"),
    ("Shares", "tokenvault shares prod/api-key"),
    ("Offer", "tokenvault offer prod/api-key"),
    ("Redeem", "printf 0000-0000-0000 | tokenvault redeem --reveal"),
    ("Fetches", "tokenvault fetches prod/api-key"),
    ("State", "printf alices-password | tokenvault unlock --password-fd 0 --recovery-out $HOME/code"),
];

/// The methods of the interface of tokens.
fn methods() -> Vec<&'static str> {
    let (_, tokens) = include_str!("../../packaging/dbus/org.tokenvault1.xml")
        .split_once("<interface name=\"org.tokenvault1.Tokens\">")
        .expect("the interface of tokens");
    let (tokens, _) = tokens.split_once("</interface>").unwrap();
    tokens.split("<method name=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Alice stores a token and another one of class `login`, which stays open.
fn with_tokens() -> (Machine, String) {
    let machine = serving();
    machine.put(ALICE, NAME, VALUE);
    let unlock = "tokenvault unlock --password-fd 0 --recovery-out /home/alice/code";
    machine.user_reading(ALICE, PASSWORD, unlock).succeeds();
    machine.user_reading(ALICE, SECRET, "tokenvault put mail/password --class login").succeeds();
    let uid = machine.user(ALICE, "id -u").succeeds();
    (machine, uid)
}

/// What the vault has to say about it: nothing, and none of alice's words is in it.
#[track_caller]
fn assert_nothing_of_hers(machine: &Machine, successor: (&str, &str), door: Door, (method, command): (&str, &str)) {
    let told = machine.user(successor, &door.shell(&format!("{{ {command}; }} 2>&1; echo status $?"))).succeeds();
    let name = if successor == ALICE { VALUE } else { "alice" };
    for word in [VALUE, SECRET, "prod/", "mail/", name] {
        assert!(!told.replace(command, "").contains(word), "{method} at {door:?}: {told}");
    }
    assert!(told.ends_with(&format!("status {DENIED}")), "{method} at {door:?}: {told}");
}

#[test]
fn whoever_is_given_the_uid_of_a_deleted_user_reads_nothing_of_hers_though_nobody_tells_the_vault() {
    for method in methods() {
        assert!(CALLS.iter().any(|(called, _)| *called == method), "{method} is not tried");
    }
    let (machine, uid) = with_tokens();
    machine.root(&format!("rm {HOOKS}")).succeeds();
    for door in Door::ALL {
        // The vault knows whose uid it is, and has just said so.
        assert_eq!(machine.user(ALICE, &door.shell(&format!("tokenvault get {NAME}"))).succeeds(), VALUE);
        let first = door.shell(&format!("exec runuser -u mallory -- tokenvault get {NAME}"));
        machine
            .root(&format!("userdel alice && useradd --create-home --uid {uid} mallory && {first}"))
            .fails_with(DENIED);
        for call in CALLS {
            assert_nothing_of_hers(&machine, MALLORY, door, call);
        }
        let status = machine.user(MALLORY, &door.shell("tokenvault status --json=short")).succeeds();
        assert!(status.contains("\"tokens\":0") && status.contains("\"bytes\":0"), "{status}");
        let identity = machine.user(MALLORY, &door.shell("tokenvault whoami --json=short")).succeeds();
        assert!(identity.contains("\"user\":\"mallory\"") && identity.contains("\"active\":false"), "{identity}");
        assert!(identity.contains("\"login-unlocked\":false"), "{identity}");
        // When the user is back, everything is as it was.
        machine.root(&format!("userdel --remove mallory && useradd --uid {uid} alice")).succeeds();
        for (name, value) in [(NAME, VALUE), ("mail/password", SECRET)] {
            assert_eq!(machine.user(ALICE, &door.shell(&format!("tokenvault get {name}"))).succeeds(), value);
        }
        let described =
            machine.user(ALICE, &door.shell(&format!("tokenvault describe {NAME} --json=short"))).succeeds();
        assert!(described.contains("\"version\":1,") && described.contains("\"attributes\":{}"), "{described}");
        assert_eq!(machine.user(ALICE, &door.shell("tokenvault list --no-legend")).succeeds().lines().count(), 2);
    }
}

#[test]
fn a_deleted_users_tokens_are_nobodys_also_under_the_same_name_until_they_are_adopted() {
    let (machine, uid) = with_tokens();
    // As 'userdel' and as Debian's 'deluser', which calls it.
    for (delete, door) in [("userdel", Door::Socket), ("deluser --quiet", Door::Bus)] {
        machine.root(&format!("{delete} alice && useradd --uid {uid} alice")).succeeds();
        for call in CALLS {
            assert_nothing_of_hers(&machine, ALICE, door, call);
        }
        assert!(machine.root("tokenvaultctl user list --frozen --no-legend").succeeds().contains("alice"));
        machine.root("tokenvaultctl user adopt alice").succeeds();
        assert_eq!(machine.user(ALICE, &door.shell(&format!("tokenvault get {NAME}"))).succeeds(), VALUE);
        machine.user(ALICE, &door.shell("tokenvault get mail/password")).fails_with(LOCKED);
        let unlock = door.shell("tokenvault unlock --password-fd 0");
        machine.user_reading(ALICE, PASSWORD, &unlock).succeeds();
        assert_eq!(machine.user(ALICE, &door.shell("tokenvault get mail/password")).succeeds(), SECRET);
    }
}

#[test]
fn what_was_shared_with_a_deleted_user_who_stored_nothing_is_not_the_next_ones() {
    let machine = serving();
    machine.put(ALICE, NAME, VALUE);
    let uid = machine.user(BOB, "id -u").succeeds();
    let get = format!("tokenvault get {NAME} --owner user:alice");
    for (delete, door) in [("userdel", Door::Socket), ("deluser --quiet", Door::Bus)] {
        machine.user(ALICE, &format!("tokenvault share {NAME} user:bob --permission write")).succeeds();
        assert_eq!(machine.user(BOB, &door.shell(&get)).succeeds(), VALUE);
        let told = machine.root(&format!("{delete} bob 2>&1 && useradd --uid {uid} bob")).succeeds();
        assert!(!told.contains("tokenvault"), "{told}");
        machine.user(BOB, &door.shell(&get)).fails_with(NOT_FOUND);
        machine
            .user(BOB, &door.shell(&format!("printf x | tokenvault put {NAME} --owner user:alice")))
            .fails_with(NOT_FOUND);
        assert_eq!(machine.user(ALICE, &format!("tokenvault shares {NAME} --no-legend")).succeeds(), "");
        machine.root("test -z \"$(ls /run/tokenvault-userdel)\"").succeeds();
    }
    // Who has the uid beside another one leaves that one what it has.
    machine.user(ALICE, &format!("tokenvault share {NAME} user:bob")).succeeds();
    machine.root(&format!("useradd --non-unique --uid {uid} twin && userdel --force twin")).succeeds();
    assert_eq!(machine.user(BOB, &get).succeeds(), VALUE);
}

#[test]
fn a_user_who_is_deleted_while_the_vault_is_away_is_frozen_when_it_is_back() {
    let (machine, uid) = with_tokens();
    machine.root("tokenvaultctl seal").succeeds();
    let told = machine.root("userdel alice 2>&1").succeeds();
    assert!(told.contains("frozen as soon as it is open"), "{told}");
    machine.root("id alice").fails();
    assert_eq!(machine.root("cat /var/lib/tokenvault-deleted/*").succeeds(), format!("alice\n{uid}"));
    assert_eq!(machine.root("stat -c '%a %U %G' /var/lib/tokenvault-deleted").succeeds(), "2750 root tokenvault");
    machine.root(&format!("useradd --uid {uid} alice && tokenvaultctl unseal")).succeeds();
    for (door, call) in Door::ALL.into_iter().flat_map(|door| CALLS.map(|call| (door, call))) {
        assert_nothing_of_hers(&machine, ALICE, door, call);
    }
    machine.root("systemctl start tokenvault-cleanup.service").succeeds();
    assert_eq!(machine.root("ls -A /var/lib/tokenvault-deleted").succeeds(), "");
    machine
        .root("systemctl mask --now tokenvaultd.service tokenvaultd.socket tokenvault-credentials.socket")
        .succeeds();
    let told = machine.root("userdel bob 2>&1").succeeds();
    assert!(told.contains("frozen as soon as it is open"), "{told}");
    assert_eq!(machine.property("tokenvaultd.service", "ActiveState"), "inactive", "it is not started for that");
}
