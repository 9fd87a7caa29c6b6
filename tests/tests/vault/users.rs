//! What administrators do about users, at both doors, and what users notice of it.

use tokenvault_proto::{AdoptUserOptions, QUOTA_AS_CONFIGURED, SetUserOptions, UserInfo};

use crate::common::*;
use crate::run::*;

fn user(administrator: &Client, user: User) -> Option<UserInfo> {
    administrator.users().unwrap().into_iter().find(|found| found.uid == user.uid)
}

/// What is derived from a login password.
const KEY: [u8; 32] = [7; 32];

fn role(role: &str) -> SetUserOptions {
    SetUserOptions { role: Some(role.into()), ..defaults() }
}

fn active(active: bool) -> SetUserOptions {
    SetUserOptions { active: Some(active), ..defaults() }
}

through_both_doors! {
    fn everybody_who_stored_is_listed_with_what_they_hold(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        assert_eq!(root.users().unwrap(), []);
        vault.client(ALICE, door).put("a", b"v", &defaults()).unwrap();
        vault.client(ALICE, door).put("b", b"v", &defaults()).unwrap();
        vault.client(BOB, door).put("a", b"v", &defaults()).unwrap();
        let listed = root.users().unwrap();
        let told: Vec<_> = listed.iter().map(|user| (user.uid, user.user.as_str(), user.tokens)).collect();
        assert_eq!(told, [(4242, "alice", 2), (4243, "bob", 1)]);
        let alice = &listed[0];
        assert_eq!((alice.role.as_str(), alice.active, alice.state.as_str()), ("developer", true, "ok"));
        assert!(alice.bytes > 0 && alice.quota_tokens == 10_000 && alice.quota_bytes == 64 << 20, "{alice:?}");
    }

    fn only_administrators_see_and_change_users(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"v", &defaults()).unwrap();
        let uid = ALICE.uid;
        for refusal in [
            alice.users().map(drop),
            alice.set_user(uid, &role("admin")),
            alice.freeze_user(uid),
            alice.purge_user(uid),
            alice.adopt_user(uid, &defaults()),
        ] {
            assert_eq!(code(refusal), ErrorCode::AccessDenied);
        }
        // The word of an administrator in the vault is not yet polkit's.
        vault.client(ROOT, door).set_user(uid, &role("admin")).unwrap();
        assert_eq!(code(alice.users()), ErrorCode::AccessDenied);
    }

    fn a_role_says_what_a_user_may_do_from_its_next_call_on(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        alice.put("t", b"v", &defaults()).unwrap();
        for (word, may_store, may_store_for_the_machine) in
            [("consumer", false, false), ("auditor", false, false), ("developer", true, false), ("admin", true, true)]
        {
            root.set_user(ALICE.uid, &role(word)).unwrap();
            assert_eq!(alice.who_am_i().unwrap().role, word);
            assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v", "{word}");
            assert_eq!(alice.put("t", b"v", &defaults()).is_ok(), may_store, "{word}");
            let machine = PutOptions { owner: Some("machine".into()), ..defaults() };
            assert_eq!(alice.put("m", b"v", &machine).is_ok(), may_store_for_the_machine, "{word}");
        }
        assert_eq!(code(root.set_user(ALICE.uid, &role("king"))), ErrorCode::InvalidArgs);
    }

    fn a_disabled_user_is_refused_at_once_and_comes_back_as_it_was(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        alice.put("t", b"v", &defaults()).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
        alice.enrol_login(ALICE.uid, &KEY).unwrap();
        root.set_user(ALICE.uid, &active(false)).unwrap();
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(code(alice.put("t", b"w", &defaults())), ErrorCode::AccessDenied);
        assert_eq!(code(alice.list(&defaults())), ErrorCode::AccessDenied);
        assert!(!alice.who_am_i().unwrap().active);
        root.set_user(ALICE.uid, &active(true)).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"v");
        assert!(!alice.login_state(ALICE.uid).unwrap().unlocked, "the login was closed with it");
    }

    fn a_quota_of_ones_own_is_told_and_kept(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        root.set_user(ALICE.uid, &SetUserOptions { quota_tokens: Some(1), ..defaults() }).unwrap();
        alice.put("t", b"v", &defaults()).unwrap();
        assert_eq!(code(alice.put("u", b"v", &defaults())), ErrorCode::LimitsExceeded);
        assert_eq!(alice.status().unwrap().quota_tokens, 1);
        root.set_user(ALICE.uid, &SetUserOptions { quota_tokens: Some(QUOTA_AS_CONFIGURED), ..defaults() }).unwrap();
        alice.put("u", b"v", &defaults()).unwrap();
        assert_eq!(alice.status().unwrap().quota_tokens, 10_000);
        root.set_user(ALICE.uid, &SetUserOptions { quota_bytes: Some(1), ..defaults() }).unwrap();
        assert_eq!(code(alice.put("w", b"v", &defaults())), ErrorCode::LimitsExceeded);
    }

    fn nothing_of_a_frozen_user_is_given_to_anybody_until_it_is_adopted(door) {
        let mut vault = Vault::start();
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"v");
        vault.client(ROOT, door).freeze_user(ALICE.uid).unwrap();
        for restarted in [false, true] {
            let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
            let refusal = refused(alice.get("t", &defaults()));
            assert_eq!(refusal.code(), ErrorCode::AccessDenied);
            assert!(refusal.to_string().contains("tokenvaultctl user adopt"), "{refusal}");
            assert_eq!(code(alice.put("t", b"w", &defaults())), ErrorCode::AccessDenied);
            assert_eq!(code(alice.list(&defaults())), ErrorCode::AccessDenied);
            assert_eq!(code(alice.login_state(ALICE.uid)), ErrorCode::AccessDenied);
            assert_eq!(user(&root, ALICE).unwrap().state, "frozen");
            if !restarted {
                vault.restart();
            }
        }
        vault.client(ROOT, door).adopt_user(ALICE.uid, &defaults()).unwrap();
        assert_eq!(vault.client(ALICE, door).get("t", &defaults()).unwrap().data(), b"v");
        assert_eq!(user(&vault.client(ROOT, door), ALICE).unwrap().state, "ok");
    }

    fn tokens_go_to_the_user_who_adopts_them(door) {
        let vault = Vault::start();
        let (root, alice, bob) = (vault.client(ROOT, door), vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("t", b"v", &PutOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        let to_bob = AdoptUserOptions { to_uid: Some(BOB.uid) };
        let to_nobody = AdoptUserOptions { to_uid: Some(NAMELESS.uid) };
        assert_eq!(code(root.adopt_user(ALICE.uid, &to_nobody)), ErrorCode::InvalidArgs);
        alice.enrol_login(ALICE.uid, &KEY).unwrap();
        alice.put("secret", b"s", &PutOptions { class: Some("login".into()), ..defaults() }).unwrap();
        root.adopt_user(ALICE.uid, &to_bob).unwrap();
        assert_eq!(code(bob.get("secret", &defaults())), ErrorCode::Locked);
        assert_eq!(code(bob.unlock_login(BOB.uid, &[8; 32])), ErrorCode::AccessDenied);
        bob.unlock_login(BOB.uid, &KEY).unwrap();
        assert_eq!(bob.get("secret", &defaults()).unwrap().data(), b"s");
        bob.delete("secret", &defaults()).unwrap();
        let fetched = bob.get("t", &defaults()).unwrap();
        assert_eq!((fetched.data(), fetched.info().owner.as_str()), (b"v".as_slice(), "uid:4243"));
        let filter = ListOptions { attributes: attributes(&[("env", "prod")]), ..defaults() };
        assert_eq!(names(&bob.list(&filter).unwrap().0), ["t"]);
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::NotFound);
        alice.put("t", b"another", &defaults()).unwrap();
        assert_eq!(code(root.adopt_user(ALICE.uid, &to_bob)), ErrorCode::InvalidArgs, "he has tokens now");
        assert_eq!(bob.get("t", &defaults()).unwrap().data(), b"v");
    }

    fn a_purge_leaves_nothing_of_a_user(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        alice.put("t", b"v", &defaults()).unwrap();
        vault.client(BOB, door).put("t", b"bob's", &defaults()).unwrap();
        root.purge_user(ALICE.uid).unwrap();
        assert_eq!(user(&root, ALICE), None);
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::NotFound);
        assert_eq!(alice.status().unwrap().tokens, 0);
        assert_eq!(vault.client(BOB, door).get("t", &defaults()).unwrap().data(), b"bob's");
        for refusal in [root.purge_user(ALICE.uid), root.purge_user(ROOT.uid), root.freeze_user(NAMELESS.uid)] {
            assert_eq!(code(refusal), ErrorCode::InvalidArgs);
        }
    }

    fn an_administrator_works_with_users_by_name(door) {
        let vault = Vault::start();
        vault.client(ALICE, door).put("t", b"v", &defaults()).unwrap();
        let ctl = |arguments: &[&str]| run(&vault, ROOT, door, &[&["tokenvaultctl", "user"], arguments].concat());
        assert!(ok(ctl(&["list"])).contains("alice"));
        ok(ctl(&["set", "alice", "--role", "consumer", "--quota-tokens", "5"]));
        let shown = ok(ctl(&["show", "alice"]));
        assert!(shown.contains("Role: consumer") && shown.contains("1 of 5"), "{shown}");
        ok(ctl(&["disable", "alice"]));
        assert!(ok(ctl(&["show", "4242"])).contains("State: disabled"));
        ok(ctl(&["enable", "uid:4242"]));
        let (status, line) = failed(ctl(&["adopt", "alice", "--to", "4243"]));
        assert!(status == 2 && line.contains("'tokenvaultctl user freeze 4242' first"), "{line}");
        ok(ctl(&["freeze", "alice"]));
        let (status, line) = failed(ctl(&["enable", "alice"]));
        assert!(status == 2 && line.contains("'tokenvaultctl user adopt 4242'"), "{line}");
        assert!(ok(ctl(&["list", "--frozen"])).contains("alice"));
        for nothing in ["carol", "4244", "uid:31337"] {
            let (status, line) = failed(ctl(&["freeze", nothing]));
            assert!(status == 3 && line.contains(nothing), "{line}");
        }
        let (status, line) = failed(ctl(&["freeze", "0"]));
        assert!(status == 2 && line.contains("root"), "{line}");
        ok(ctl(&["adopt", "alice", "--to", "4243"]));
        assert_eq!(vault.client(BOB, door).get("t", &defaults()).unwrap().data(), b"v");
        let (status, line) = failed(ctl(&["purge", "bob"]));
        assert!(status != 0 && line.contains("--yes"), "{line}");
        ok(ctl(&["purge", "bob", "--yes"]));
        assert_eq!(ok(ctl(&["list", "--no-legend"])), "");
        let (status, line) = failed(ctl(&["show", "bob"]));
        assert!(status == 3 && line.contains("user list"), "{line}");
    }
}

#[test]
fn a_user_whose_uid_has_another_name_is_shown_as_frozen() {
    let mut vault = Vault::start();
    vault.client(ALICE, Door::Socket).put("t", b"v", &defaults()).unwrap();
    vault.client(BOB, Door::Socket).put("t", b"v", &defaults()).unwrap();
    vault.users().edit(|passwd| {
        let lines = passwd.lines().filter(|line| !line.starts_with("bob:"));
        lines.map(|line| line.replace("alice", "mallory") + "\n").collect()
    });
    vault.restart();
    let root = vault.client(ROOT, Door::Socket);
    let states: Vec<_> = root.users().unwrap().into_iter().map(|user| (user.user, user.state)).collect();
    assert_eq!(states, [("alice".into(), "frozen".into()), ("bob".into(), "frozen".into())]);
}

#[test]
fn what_a_user_shared_is_given_to_nobody_once_its_uid_has_another_name() {
    let mut vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"v", &defaults()).unwrap();
    alice.share("t", "user:bob", &defaults()).unwrap();
    vault.users().hand_over(ALICE.uid, Some("mallory")).unwrap();
    vault.restart();
    vault.wait_for_state("serving");
    for door in Door::ALL {
        let bob = vault.client(BOB, door);
        let of_alice = GetOptions { owner: Some("uid:4242".into()), ..defaults() };
        wait::until("that to be seen", || {
            bob.get("t", &of_alice).err().filter(|error| error.code() == ErrorCode::NotFound)
        });
        assert_eq!(bob.list(&ListOptions { shared_with_me: Some(true), ..defaults() }).unwrap().0, []);
    }
}
