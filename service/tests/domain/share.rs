//! Sharing: who may, with whom, and what becomes of a share when its token changes.

use tokenvault_core::Timestamp;
use tokenvault_core::audit::Outcome;
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;
use tokenvault_core::token::{Expiry, Permission, PutOptions, SHARES_MAX, ShareRequest};

use crate::fixture::*;

const APP: &str = "unit:app.service";
const WEB: &str = "unit:web@1.service";

/// `usec` after the clock's first time.
fn at(usec: u64) -> Timestamp {
    START.checked_add_usec(usec).unwrap()
}

fn grantees(home: &Home, name: &str) -> Vec<String> {
    home.root().grantees(name).into_iter().map(|(grantee, _)| grantee).collect()
}

/// A machine token that is shared with a unit.
fn shared() -> Home {
    let home = Home::new();
    home.root().put("key", b"k").unwrap();
    home.root().share("key", APP).unwrap();
    home
}

#[test]
fn a_machine_token_is_shared_listed_and_unshared() {
    let home = Home::new();
    let root = home.root();
    root.put("key", b"k").unwrap();
    assert!(!root.describe("key").unwrap().shared);
    root.share("key", APP).unwrap();
    root.share_with("key", WEB, Some(at(DAY)), Some(3)).unwrap();
    let shares = root.shares("key").unwrap();
    assert_eq!(grantees(&home, "key"), [APP, WEB]);
    assert_eq!((shares[0].created, shares[0].expires, shares[0].uses_left), (START, None, None));
    assert_eq!((shares[1].expires, shares[1].uses_left), (Some(at(DAY)), Some(3)));
    assert!(shares.iter().all(|share| share.permission == Permission::Read));
    assert!(root.describe("key").unwrap().shared && root.list().unwrap()[0].shared);
    root.unshare("key", APP).unwrap();
    assert_eq!(grantees(&home, "key"), [WEB]);
    assert!(root.describe("key").unwrap().shared);
    root.unshare("key", WEB).unwrap();
    assert!(!root.describe("key").unwrap().shared);
    assert_eq!(refused(root.unshare("key", WEB)), Refused::NotShared);
    assert_eq!(root.usage().unwrap(), (1, TOKEN + VERSION));
}

#[test]
fn sharing_again_replaces_the_share() {
    let home = shared();
    let root = home.root();
    root.share_with("key", APP, Some(at(DAY)), Some(2)).unwrap();
    assert_eq!(root.grantees("key"), [(APP.to_owned(), Some(2))]);
    root.share("key", APP).unwrap();
    assert_eq!(root.grantees("key"), [(APP.to_owned(), None)]);
    home.check_counters();
}

#[test]
fn only_root_and_admins_share_with_units_and_only_machine_tokens() {
    let home = shared();
    let alice = home.alice();
    alice.put("mine", b"v").unwrap();
    assert_eq!(refused(alice.share("mine", APP)), Refused::AccessDenied);
    let machine = home.alice().of(Owner::Machine);
    assert_eq!(refused(machine.share("key", WEB)), Refused::AccessDenied);
    assert_eq!(refused(machine.unshare("key", APP)), Refused::AccessDenied);
    assert_eq!(refused(machine.shares("key")), Refused::AccessDenied);
    assert_eq!(refused(machine.shares("missing")), Refused::AccessDenied, "they do not learn whether it is there");
    let others = home.bob().of(Owner::Uid(ALICE));
    for name in ["mine", "missing"] {
        assert_eq!(refused(others.share(name, APP)), Refused::NotFound);
        assert_eq!(refused(others.unshare(name, APP)), Refused::NotFound);
        assert_eq!(refused(others.shares(name)), Refused::NotFound);
    }
    home.set(|settings| settings.default_role = Role::Admin);
    let admin = User::new(home.vault(), 1003);
    admin.put("own", b"v").unwrap();
    let admin = admin.of(Owner::Machine);
    admin.share("key", WEB).unwrap();
    assert_eq!(grantees(&home, "key"), [APP, WEB]);
    admin.unshare("key", WEB).unwrap();
    assert_eq!(admin.shares("key").unwrap().len(), 1);
    // They read no machine token, and could give them to themselves.
    for grantee in [format!("uid:{ALICE}"), "group:ops".to_owned()] {
        for name in ["key", "missing"] {
            assert_eq!(refused(admin.share(name, &grantee)), Refused::AccessDenied, "{name} with {grantee}");
        }
    }
    for name in ["key", "missing"] {
        assert_eq!(refused(admin.offer(name).map(drop)), Refused::AccessDenied, "{name}");
    }
    assert_eq!(
        refused(User::new(home.vault(), 1003).share("own", APP)),
        Refused::AccessDenied,
        "theirs is no machine's"
    );
}

#[test]
fn what_is_missing_or_has_expired_is_not_shared() {
    let home = Home::new();
    let root = home.root();
    assert_eq!(refused(root.share("missing", APP)), Refused::NotFound);
    root.put_with("short", b"v", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    root.share("short", APP).unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(root.share("short", WEB)), Refused::NotFound);
    assert_eq!(refused(root.unshare("short", APP)), Refused::NotFound);
    assert_eq!(refused(root.shares("short")), Refused::NotFound);
}

#[test]
fn impossible_shares_are_refused() {
    let home = shared();
    let root = home.root();
    for (expires, uses) in [(Some(START), None), (Some(Timestamp::from_usec(0)), None), (None, Some(0))] {
        assert_eq!(refused(root.share_with("key", WEB, expires, uses)), Refused::InvalidArgs);
    }
    assert_eq!(refused(root.share_with("key", WEB, Some(Timestamp::from_usec(u64::MAX)), None)), Refused::InvalidArgs);
    let request = ShareRequest { permission: Permission::Write, ..root.share_request("key", WEB) };
    assert_eq!(refused(root.share_as(request)), Refused::InvalidArgs);
    root.put("a/b", b"k").unwrap();
    assert_eq!(refused(root.share("a/b", WEB)), Refused::InvalidArgs, "no unit can ask for it");
    assert_eq!(grantees(&home, "key"), [APP]);
}

#[test]
fn a_share_follows_its_token_to_another_name() {
    let home = shared();
    let root = home.root();
    root.rename("key", "other").unwrap();
    assert_eq!(grantees(&home, "other"), [APP]);
    assert!(root.describe("other").unwrap().shared);
    root.put("key", b"another").unwrap();
    assert!(grantees(&home, "key").is_empty(), "and not to the name it had");
}

#[test]
fn a_share_ends_with_its_token() {
    let home = shared();
    let root = home.root();
    root.delete("key").unwrap();
    assert_eq!(root.usage().unwrap(), (0, 0));
    root.put("key", b"another").unwrap();
    assert!(grantees(&home, "key").is_empty());
    root.share("key", APP).unwrap();
    root.delete_version("key", 1).unwrap();
    root.put("key", b"a third").unwrap();
    assert!(grantees(&home, "key").is_empty(), "also with its last version");
    home.check_counters();
}

#[test]
fn a_share_does_not_come_back_with_the_name_of_an_expired_token() {
    let home = Home::new();
    let root = home.root();
    root.put_with("key", b"v", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    root.share("key", APP).unwrap();
    home.clock.advance_usec(SECOND);
    assert!(!root.put("key", b"new").unwrap().shared);
    assert!(grantees(&home, "key").is_empty());
    assert_eq!(root.usage().unwrap(), (1, TOKEN + VERSION));
}

#[test]
fn a_new_version_keeps_the_shares() {
    let home = shared();
    assert!(home.root().put("key", b"rotated").unwrap().shared);
    assert_eq!(grantees(&home, "key"), [APP]);
}

#[test]
fn a_share_that_expired_is_listed_no_more_and_still_taken_away() {
    let home = Home::new();
    let root = home.root();
    root.put("key", b"k").unwrap();
    root.share_with("key", APP, Some(at(SECOND)), None).unwrap();
    home.clock.advance_usec(SECOND);
    assert!(root.shares("key").unwrap().is_empty());
    assert_eq!(refused(root.unshare("key", APP)), Refused::NotShared);
    assert_eq!(root.usage().unwrap(), (1, TOKEN + VERSION), "what it held of the quota is free");
}

#[test]
fn shares_count_against_the_quota_and_have_a_number_of_their_own() {
    let home = shared();
    let root = home.root();
    assert_eq!(root.usage().unwrap(), (1, TOKEN + VERSION + SHARE));
    home.set(|settings| settings.bytes = TOKEN + VERSION + SHARE);
    assert_eq!(refused(root.share("key", WEB)), Refused::LimitsExceeded);
    assert_eq!(grantees(&home, "key"), [APP], "nothing of it is left");
    home.set(|settings| settings.bytes = 0);
    for number in 1..SHARES_MAX {
        root.share("key", &format!("unit:many@{number}.service")).unwrap();
    }
    assert_eq!(refused(root.share("key", WEB)), Refused::LimitsExceeded);
    root.share_with("key", APP, None, Some(1)).unwrap();
    assert_eq!(root.shares("key").unwrap().len(), SHARES_MAX);
    home.check_counters();
}

#[test]
fn shares_are_there_after_a_restart() {
    let mut home = shared();
    home.restart();
    assert_eq!(grantees(&home, "key"), [APP]);
}

#[test]
fn nothing_is_shared_by_a_sealed_vault() {
    let home = shared();
    home.vault().seal(&home.root().caller).unwrap();
    let root = home.root();
    assert_eq!(refused(root.share("key", WEB)), Refused::Sealed);
    assert_eq!(refused(root.unshare("key", APP)), Refused::Sealed);
    assert_eq!(refused(root.shares("key")), Refused::Sealed);
}

#[test]
fn sharing_and_its_refusals_are_in_the_audit_log_with_the_grantee() {
    let home = shared();
    home.root().unshare("key", APP).unwrap();
    let _refused = home.alice().of(Owner::Machine).share("key", WEB);
    let records = records(&home);
    let found = |operation: &str, outcome: Outcome| {
        let record = records.iter().find(|record| record.operation == operation && record.outcome == outcome);
        let record = record.unwrap_or_else(|| panic!("no {operation} {outcome:?}"));
        (record.uid, record.owner, record.name.clone(), record.grantee.clone())
    };
    for operation in ["Share", "Unshare"] {
        assert_eq!(found(operation, Outcome::Ok), (ROOT, Some(0), "key".into(), Some(APP.into())), "{operation}");
    }
    assert_eq!(found("Share", Outcome::Denied), (ALICE, Some(0), "key".into(), Some(WEB.into())));
    verified(&home).unwrap();
}
