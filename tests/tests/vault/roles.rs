//! Who may do what: every role with every method, whoever gave the role, at both doors.

use std::collections::HashMap;

use tokenvault_proto::{ADMIN_INTERFACE, ISSUER_INTERFACE, LOGIN_INTERFACE, OfferOptions, SetUserOptions};
use tokenvault_tests::{Refusal, pipe, wait};
use zbus::{Fd, Message, Variant};

use crate::common::*;
use crate::run::*;

const ROLES: [&str; 4] = ["consumer", "developer", "auditor", "admin"];

/// Who may call a method about what is his own, or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Every role.
    Everybody,
    /// Who may store.
    Writers,
    /// Who reads the audit log.
    Auditors,
    /// Root, and whom polkit permits it.
    Root,
}

/// What the contract says of each method.
const METHODS: [(&str, For, &[&str]); 7] = [
    (TOKENS_INTERFACE, For::Everybody, &["Get", "Describe", "List", "Versions", "Redeem"]),
    (
        TOKENS_INTERFACE,
        For::Writers,
        &["Put", "Generate", "Annotate", "Rename", "Delete", "Rollback", "Share", "Unshare", "Shares", "Offer"],
    ),
    (ISSUER_INTERFACE, For::Everybody, &["Validate", "Revoke", "RevokeAll", "Issued"]),
    (ISSUER_INTERFACE, For::Writers, &["Issue"]),
    (
        MANAGER_INTERFACE,
        For::Everybody,
        &["Status", "WhoAmI", "Health", "Metrics", "Operation", "Cancel", "Subscribe", "Unsubscribe"],
    ),
    (ADMIN_INTERFACE, For::Auditors, &["Audit"]),
    (
        ADMIN_INTERFACE,
        For::Root,
        &[
            "Slots",
            "AddSlot",
            "RemoveSlot",
            "Unseal",
            "ConfirmRecovery",
            "TestCredential",
            "VerifyAudit",
            "Verify",
            "Rotate",
            "Backup",
            "Restore",
            "Lockdown",
            "Recover",
            "Cleanup",
            "Users",
            "SetUser",
            "FreezeUser",
            "Deletions",
            "Expiring",
            "PurgeUser",
            "AdoptUser",
            "Reload",
            "Seal",
        ],
    ),
];
/// Of the interface that every user has for his own uid: it asks for no role, and says of itself when a key is wrong.
const LOGIN: [&str; 7] = ["State", "Enrol", "Unlock", "SetKey", "Recover", "Lease", "Lock"];

/// The types of a method's arguments.
fn signature(document: &str, interface: &str, method: &str) -> String {
    let (_, rest) = document.split_once(&format!("<interface name=\"{interface}\">")).unwrap();
    let (own, _) = rest.split_once("</interface>").unwrap();
    let (_, rest) = own.split_once(&format!("<method name=\"{method}\">")).unwrap_or_else(|| panic!("no {method}"));
    let (arguments, _) = rest.split_once("</method>").unwrap();
    let wanted = arguments.split("<arg ").filter(|argument| argument.contains("direction=\"in\""));
    wanted.map(|argument| argument.split("type=\"").nth(1).unwrap().split('"').next().unwrap()).collect()
}

/// Calls a method with arguments that mean nothing of anybody's.
fn ask(wire: &Wire, interface: &str, method: &str, signature: &str, uid: u32) -> Result<Message, Refusal> {
    let none: HashMap<&str, Variant<'static>> = HashMap::new();
    // An empty pipe is what asks the TPM.
    let secret: &[u8] = if method == "Unseal" { &[] } else { &[7; 32] };
    let held = || Fd::from(pipe::holding(secret));
    let (name, other) = ("missing", if method == "TestCredential" { "id" } else { "unit:app.service" });
    let name = if method == "TestCredential" { "app.service" } else { name };
    match signature {
        "a{sv}" => wire.call(interface, method, &none),
        "sa{sv}" => wire.call(interface, method, &(name, none)),
        "sha{sv}" => wire.call(interface, method, &(name, held(), none)),
        "ssa{sv}" => wire.call(interface, method, &(name, other, none)),
        "sta{sv}" => wire.call(interface, method, &(name, 1_u64, none)),
        "ha{sv}" => wire.call(interface, method, &(held(), none)),
        "ta{sv}" => wire.call(interface, method, &(4_999_u64, none)),
        "ba{sv}" => wire.call(interface, method, &(false, none)),
        "ua{sv}" => wire.call(interface, method, &(uid, none)),
        "uha{sv}" => wire.call(interface, method, &(uid, held(), none)),
        "hha{sv}" => {
            // No pipe, and so no backup.
            let none_at_all = Fd::from(std::os::fd::OwnedFd::from(std::fs::File::open("/dev/null").unwrap()));
            wire.call(interface, method, &(none_at_all, held(), none))
        }
        "uhha{sv}" => wire.call(interface, method, &(uid, held(), held(), none)),
        other => panic!("{method} takes {other}: say here what it is asked with"),
    }
}

fn is_denied(answer: &Result<Message, Refusal>) -> bool {
    answer.as_ref().err().is_some_and(|refusal| refusal.name == "org.tokenvault1.Error.AccessDenied")
}

fn is_denied_to_role(answer: &Result<Message, Refusal>) -> bool {
    is_denied(answer) && answer.as_ref().err().is_some_and(|refusal| format!("{refusal:?}").contains("your role"))
}

/// Asks everything, and compares it with what the role may.
fn check_table(vault: &Vault, user: User, role: &str, door: Door) {
    let (wire, document) = (vault.wire(user, door), vault.wire(ROOT, Door::Socket).introspect());
    for (interface, whose, methods) in METHODS {
        for method in methods {
            let may = match whose {
                For::Everybody => true,
                For::Writers => ["developer", "admin", "root"].contains(&role),
                For::Auditors => ["auditor", "root"].contains(&role),
                For::Root => role == "root",
            };
            let answer = ask(&wire, interface, method, &signature(&document, interface, method), NAMELESS.uid);
            // Nobody shares what is his own with a unit, whatever his role.
            let denied = if *method == "Share" { is_denied_to_role(&answer) } else { is_denied(&answer) };
            assert_eq!(denied, !may, "{method} as {role} at {door:?}: {answer:?}");
        }
    }
    if role != "root" {
        for method in LOGIN {
            let answer = ask(&wire, LOGIN_INTERFACE, method, &signature(&document, LOGIN_INTERFACE, method), user.uid);
            let text = answer.err().map(|refusal| format!("{refusal:?}")).unwrap_or_default();
            assert!(!text.contains("role") && !text.contains("root"), "{method} as {role}: {text}");
        }
    }
}

fn role(role: &str) -> SetUserOptions {
    SetUserOptions { role: Some(role.into()), ..defaults() }
}

/// A vault in which everybody may be asked as often as a table is long.
fn unlimited() -> tokenvault_tests::vault::Builder {
    Vault::builder().limit("misses-per-second", 0).limit("writes-per-second", 0)
}

fn told(vault: &Vault, user: User) -> (String, String) {
    let users = vault.client(ROOT, Door::Socket).users().unwrap();
    let user = users.into_iter().find(|found| found.uid == user.uid).expect("the vault knows this user");
    (user.role, user.role_from)
}

through_both_doors! {
    fn each_role_may_what_the_contract_says_and_nothing_else(door) {
        for role_word in ROLES {
            let vault = unlimited().start();
            vault.client(ROOT, door).set_user(ALICE.uid, &role(role_word)).unwrap();
            check_table(&vault, ALICE, role_word, door);
        }
        check_table(&unlimited().start(), ROOT, "root", door);
    }

    fn a_role_that_a_group_gives_is_that_role(door) {
        for role_word in ROLES {
            let vault = unlimited().role(role_word, &["group:alice"]).start();
            assert_eq!(vault.client(ALICE, door).who_am_i().unwrap().role, role_word);
            check_table(&vault, ALICE, role_word, door);
        }
    }

    fn what_an_administrator_set_counts_before_a_rule_and_that_before_everybodys(door) {
        let vault = Vault::builder()
            .role("auditor", &["group:bob", "user:carol"])
            .role("consumer", &["group:alice", "group:carol"])
            .role("admin", &["group:carol"])
            .start();
        let root = vault.client(ROOT, door);
        for user in [ALICE, BOB, CAROL] {
            root.set_user(user.uid, &SetUserOptions { active: Some(true), ..defaults() }).unwrap();
        }
        vault.client(ROOT, door).put("t", b"v", &defaults()).unwrap();
        for (user, expected, from) in [
            (ROOT, "admin", "root"),
            (ALICE, "consumer", "group:alice"),
            (BOB, "auditor", "group:bob"),
            (CAROL, "auditor", "user:carol"),
        ] {
            assert_eq!(told(&vault, user), (expected.into(), from.into()));
            assert_eq!(vault.client(user, door).who_am_i().unwrap().role, expected);
        }
        root.set_user(ALICE.uid, &role("developer")).unwrap();
        assert_eq!(told(&vault, ALICE), ("developer".into(), "set".into()));
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        root.set_user(ALICE.uid, &role("default")).unwrap();
        assert_eq!(told(&vault, ALICE), ("consumer".into(), "group:alice".into()));
        assert_eq!(code(vault.client(ALICE, door).put("t", b"w", &defaults())), ErrorCode::AccessDenied);
        let shown = ok(run(&vault, ROOT, door, &["tokenvaultctl", "user", "show", "alice"]));
        assert!(shown.contains("Role: consumer (group:alice)"), "{shown}");
    }

    fn an_administrator_by_role_gives_machine_tokens_to_units_and_to_no_user(door) {
        let vault = Vault::builder().role("admin", &["group:alice"]).start();
        vault.client(ROOT, door).put("m", b"of root", &defaults()).unwrap();
        let alice = vault.client(ALICE, door);
        let owner = || Some("machine".to_owned());
        alice.put("m", b"of root, changed", &PutOptions { owner: owner(), ..defaults() }).unwrap();
        let share = |grantee: &str| alice.share("m", grantee, &ShareOptions { owner: owner(), ..defaults() });
        for grantee in ["user:alice", "user:bob", "group:alice"] {
            assert_eq!(code(share(grantee)), ErrorCode::AccessDenied, "{grantee}");
        }
        assert_eq!(code(alice.offer("m", &OfferOptions { owner: owner(), ..defaults() })), ErrorCode::AccessDenied);
        share("unit:app.service").unwrap();
        assert_eq!(code(alice.get("m", &GetOptions { owner: owner(), ..defaults() })), ErrorCode::NotFound);
    }

    fn the_groups_are_those_of_the_connection(door) {
        let vault = Vault::builder().role("consumer", &["group:bob"]).start();
        let member = vault.client_in(ALICE, BOB.uid, door);
        assert_eq!(member.who_am_i().unwrap().role, "consumer");
        assert_eq!(code(member.put("t", b"v", &defaults())), ErrorCode::AccessDenied);
        // Who has left the group and connects anew has the role no more; nor has it who connected before and stays.
        let left = vault.client(ALICE, door);
        assert_eq!(left.who_am_i().unwrap().role, "developer");
        left.put("t", b"v", &defaults()).unwrap();
        assert_eq!(code(member.put("t", b"v", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(told(&vault, ALICE), ("developer".into(), "default".into()));
        // Disabled is at once, on every connection.
        vault.client(ROOT, door).set_user(ALICE.uid, &SetUserOptions { active: Some(false), ..defaults() }).unwrap();
        for client in [&member, &left] {
            assert_eq!(code(client.get("t", &defaults())), ErrorCode::AccessDenied);
        }
    }

    fn of_those_who_are_not_known_only_members_of_the_group_are_taken_in(door) {
        let vault = Vault::builder().users("enrol", "group").users("enrol-group", "bob").start();
        vault.client(BOB, door).put("t", b"v", &defaults()).unwrap();
        let refusal = refused(vault.client(ALICE, door).put("t", b"v", &defaults()));
        assert_eq!(refusal.code(), ErrorCode::AccessDenied);
        assert_helpful(&refusal);
        assert_eq!(code(vault.client(ALICE, door).get("t", &defaults())), ErrorCode::NotFound);
        vault.client_in(CAROL, BOB.uid, door).put("t", b"v", &defaults()).unwrap();
        // An administrator takes in whom he wants.
        vault.client(ROOT, door).set_user(ALICE.uid, &SetUserOptions { active: Some(true), ..defaults() }).unwrap();
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
    }

    fn where_administrators_take_users_in_nobody_else_does(door) {
        let vault = Vault::builder().users("enrol", "admin").start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        for refusal in [
            alice.put("t", b"v", &defaults()).map(drop),
            alice.generate("t", &defaults()).map(drop),
            alice.issue(&defaults()).map(drop),
            alice.enrol_login(ALICE.uid, &[7; 32]).map(drop),
        ] {
            let refusal = refused(refusal);
            assert_eq!(refusal.code(), ErrorCode::AccessDenied, "{refusal}");
            assert_helpful(&refusal);
        }
        assert_eq!(root.users().unwrap(), []);
        root.set_user(ALICE.uid, &role("default")).unwrap();
        alice.put("t", b"v", &defaults()).unwrap();
        assert_eq!(told(&vault, ALICE), ("developer".into(), "default".into()));
    }
}

#[test]
fn a_group_that_is_not_there_gives_nobody_a_role_and_is_told() {
    let mut vault = Vault::builder().role("admin", &["group:wheel-of-nobody"]).start();
    let health = vault.client(ALICE, Door::Socket).health().unwrap();
    assert!(health.groups.contains("wheel-of-nobody"), "{}", health.groups);
    let report = ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "doctor", "--json=short"]));
    let report = json(&report);
    let row = report["checks"].as_array().unwrap().iter().find(|row| row["check"] == "groups").unwrap().clone();
    assert!(row["result"] == "warning" && row["message"].as_str().unwrap().contains("wheel-of-nobody"), "{row}");
    assert!(vault.log().contains("wheel-of-nobody"));
    let check = |vault: &Vault| {
        let configuration = vault.path().join("tokenvault.conf");
        let arguments = ["tokenvaultctl", "config", "check", "--config", configuration.to_str().unwrap()];
        run(vault, ROOT, Door::Socket, &arguments)
    };
    let checked = check(&vault);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("wheel-of-nobody"), "{checked:?}");
    assert!(ok(checked).contains("good"), "it starts all the same");
    // It counts as soon as it is there and the configuration is read again.
    vault.users().edit_groups(|groups| format!("{groups}wheel-of-nobody:x:{}:\n", ALICE.uid));
    // That it was not there is kept for a moment; and the file is read anew only in another second of its date.
    wait::until("the group to be found", || {
        vault.users().edit_groups(str::to_owned);
        // Each is a write.
        match vault.client(ROOT, Door::Socket).reload() {
            Err(error) if error.code() == ErrorCode::LimitsExceeded => {}
            reloaded => reloaded.unwrap(),
        }
        (vault.client(ALICE, Door::Socket).who_am_i().unwrap().role == "admin").then_some(())
    });
    assert_eq!(vault.client(ALICE, Door::Socket).health().unwrap().groups, "ok");
    assert_eq!(check(&vault).stderr, b"");
    vault.stop_daemon();
}
