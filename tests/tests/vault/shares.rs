//! Sharing machine tokens with units, through every way in.

use crate::common::*;
use crate::run::*;

const APP: &str = "unit:app.service";
const WEB: &str = "unit:web@1.service";
/// In the year 2100, microseconds.
const FAR: u64 = 4_102_444_800_000_000;

fn machine() -> DescribeOptions {
    DescribeOptions { owner: Some("machine".into()) }
}

fn share_machine() -> ShareOptions {
    ShareOptions { owner: Some("machine".into()), ..defaults() }
}

fn grantees(shares: &[ShareInfo]) -> Vec<&str> {
    shares.iter().map(|share| share.grantee.as_str()).collect()
}

through_every_client! {
    fn a_share_is_granted_listed_and_ended(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        root.put("key", b"k", &defaults()).unwrap();
        assert_eq!(root.shares("key", &defaults()).unwrap(), []);
        root.share("key", APP, &defaults()).unwrap();
        let options = ShareOptions { permission: Some("read".into()), expires: Some(FAR), uses: Some(7), ..share_machine() };
        root.share("key", WEB, &options).unwrap();
        let shares = root.shares("key", &machine()).unwrap();
        assert_eq!(grantees(&shares), [APP, WEB]);
        assert_eq!((shares[0].expires, shares[0].uses_left), (None, None));
        assert_eq!((shares[1].expires, shares[1].uses_left), (Some(FAR), Some(7)));
        assert!(shares.iter().all(|share| share.permission == "read" && share.created > 0));
        assert!(root.describe("key", &defaults()).unwrap().shared);
        root.unshare("key", APP, &defaults()).unwrap();
        root.unshare("key", WEB, &machine()).unwrap();
        assert_eq!(code(root.unshare("key", WEB, &defaults())), ErrorCode::NotFound);
        assert!(!root.describe("key", &defaults()).unwrap().shared);
    }

    fn a_share_follows_a_rename_and_goes_with_a_delete(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        root.put("old", b"k", &defaults()).unwrap();
        root.share("old", APP, &defaults()).unwrap();
        root.rename("old", "new", &defaults()).unwrap();
        assert_eq!(grantees(&root.shares("new", &defaults()).unwrap()), [APP]);
        root.delete("new", &defaults()).unwrap();
        root.put("new", b"k", &defaults()).unwrap();
        assert_eq!(root.shares("new", &defaults()).unwrap(), []);
    }

    fn only_root_shares_and_only_machine_tokens(door) {
        let vault = Vault::start();
        let (root, alice) = (door.client(&vault, ROOT), door.client(&vault, ALICE));
        root.put("key", b"k", &defaults()).unwrap();
        root.share("key", APP, &defaults()).unwrap();
        alice.put("mine", b"v", &defaults()).unwrap();
        assert_eq!(code(alice.share("mine", APP, &defaults())), ErrorCode::AccessDenied);
        for name in ["key", "missing"] {
            assert_eq!(code(alice.share(name, WEB, &share_machine())), ErrorCode::AccessDenied);
            assert_eq!(code(alice.unshare(name, APP, &machine())), ErrorCode::AccessDenied);
            assert_eq!(code(alice.shares(name, &machine())), ErrorCode::AccessDenied);
        }
        assert_eq!(grantees(&root.shares("key", &defaults()).unwrap()), [APP]);
        assert_eq!(alice.shares("mine", &defaults()).unwrap(), [], "their own are theirs to look at");
    }

    fn a_grantee_that_is_none_is_refused(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        root.put("key", b"k", &defaults()).unwrap();
        for grantee in ["", "app.service", "unit:", "unit:app", "unit:app.socket", "unit:web@.service", "unit:a/b.service"] {
            assert_eq!(code(root.share("key", grantee, &defaults())), ErrorCode::InvalidArgs, "{grantee:?}");
            assert_eq!(code(root.unshare("key", grantee, &defaults())), ErrorCode::InvalidArgs, "{grantee:?}");
        }
        assert_eq!(root.shares("key", &defaults()).unwrap(), []);
    }

    fn an_impossible_share_is_refused(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        root.put("key", b"k", &defaults()).unwrap();
        for (word, options) in [
            ("permission", ShareOptions { permission: Some("write".into()), ..defaults() }),
            ("permission", ShareOptions { permission: Some("all".into()), ..defaults() }),
            ("expired", ShareOptions { expires: Some(1), ..defaults() }),
            ("expires", ShareOptions { expires: Some(u64::MAX), ..defaults() }),
        ] {
            let error = refused(root.share("key", APP, &options));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{options:?}");
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert_eq!(code(root.share("missing", APP, &defaults())), ErrorCode::NotFound);
        assert_eq!(root.shares("key", &defaults()).unwrap(), []);
    }
}

through_both_doors! {
    fn no_uses_at_all_are_no_share(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.put("key", b"k", &defaults()).unwrap();
        let none = ShareOptions { uses: Some(0), ..defaults() };
        assert_eq!(code(root.share("key", APP, &none)), ErrorCode::InvalidArgs);
    }

    fn shares_outlive_the_daemon(door) {
        let mut vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.put("key", b"k", &defaults()).unwrap();
        root.share("key", APP, &defaults()).unwrap();
        drop(root);
        vault.kill_daemon();
        vault.start_daemon();
        vault.wait_for_state("serving");
        assert_eq!(grantees(&vault.client(ROOT, door).shares("key", &defaults()).unwrap()), [APP]);
    }
}

#[test]
fn the_command_passes_a_permission_on_and_says_why_a_unit_cannot_have_it() {
    let vault = Vault::start();
    vault.client(ROOT, Door::Socket).put("key", b"k", &defaults()).unwrap();
    let share =
        |permission| run(&vault, ROOT, Door::Socket, &["tokenvault", "share", "key", APP, "--permission", permission]);
    let (status, said) = failed(share("write"));
    assert!(status == 2 && said.contains("--permission must be 'read' for a unit"), "{said}");
    ok(share("read"));
    assert_eq!(grantees(&vault.client(ROOT, Door::Socket).shares("key", &defaults()).unwrap()), [APP]);
}
