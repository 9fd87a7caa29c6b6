//! `owner=machine`: the system's own tokens.

use crate::common::*;

fn put_machine() -> PutOptions {
    PutOptions { owner: Some("machine".into()), ..defaults() }
}

fn get_machine() -> GetOptions {
    GetOptions { owner: Some("machine".into()), ..defaults() }
}

through_every_client! {
    fn root_keeps_the_systems_tokens(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        root.put("tls/key", b"k", &put_machine()).unwrap();
        let fetched = root.get("tls/key", &get_machine()).unwrap();
        assert_eq!(fetched.data(), b"k");
        assert_eq!(fetched.info().owner, "uid:0");
        assert_eq!(root.get("tls/key", &defaults()).unwrap().data(), b"k", "they are uid 0's own");
        let (listed, _) = root.list(&ListOptions { owner: Some("machine".into()), ..defaults() }).unwrap();
        assert_eq!(names(&listed), ["tls/key"]);
    }

    fn every_method_takes_them_for_root_and_nobody_else(door) {
        let vault = Vault::start();
        let root = door.client(&vault, ROOT);
        let machine = DescribeOptions { owner: Some("machine".into()) };
        for value in [b"1", b"2"] {
            root.put("key", value, &put_machine()).unwrap();
        }
        assert_eq!(root.describe("key", &machine).unwrap().version, 2);
        assert_eq!(root.versions("key", &machine).unwrap().len(), 2);
        assert_eq!(root.rollback("key", 1, &machine).unwrap(), 3);
        let note = AnnotateOptions { owner: machine.owner.clone(), attributes: attributes(&[("env", "prod")]), ..defaults() };
        let delete = DeleteOptions { owner: machine.owner.clone(), ..defaults() };
        let alice = door.client(&vault, ALICE);
        assert_eq!(code(alice.describe("key", &machine)), ErrorCode::NotFound);
        assert_eq!(code(alice.versions("key", &machine)), ErrorCode::NotFound);
        for refusal in [
            code(alice.rollback("key", 1, &machine)),
            code(alice.annotate("key", &note)),
            code(alice.rename("key", "other", &machine)),
            code(alice.delete("key", &delete)),
        ] {
            assert_eq!(refusal, ErrorCode::AccessDenied);
        }
        root.annotate("key", &note).unwrap();
        root.rename("key", "other", &machine).unwrap();
        assert_eq!(root.get("other", &get_machine()).unwrap().data(), b"1");
        assert_eq!(Some(root.describe("other", &machine).unwrap().attributes), note.attributes);
        root.delete("other", &delete).unwrap();
        assert_eq!(code(root.get("other", &get_machine())), ErrorCode::NotFound);
    }

    fn others_neither_write_nor_see_them(door) {
        let vault = Vault::start();
        door.client(&vault, ROOT).put("tls/key", b"k", &put_machine()).unwrap();
        let alice = door.client(&vault, ALICE);
        assert_eq!(code(alice.put("mine", b"v", &put_machine())), ErrorCode::AccessDenied);
        assert_eq!(code(alice.get("tls/key", &get_machine())), ErrorCode::NotFound);
        assert_eq!(code(alice.get("tls/key", &defaults())), ErrorCode::NotFound);
        let (listed, _) = alice.list(&ListOptions { owner: Some("machine".into()), ..defaults() }).unwrap();
        assert_eq!(listed, []);
    }

    fn ones_own_tokens_have_three_names_for_their_owner(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("a", b"v", &defaults()).unwrap();
        for owner in ["user:alice", "uid:4242"] {
            let options = GetOptions { owner: Some(owner.into()), ..defaults() };
            assert_eq!(alice.get("a", &options).unwrap().data(), b"v", "{owner}");
        }
    }

    fn an_owner_that_is_none_is_refused(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        for owner in ["", "alice", "uid:", "uid:-1", "uid:x", "uid:99999999999", "group:adm", "user:"] {
            let options = GetOptions { owner: Some(owner.into()), ..defaults() };
            let error = refused(alice.get("a", &options));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{owner:?}");
            assert!(error.to_string().contains("owner"), "{error}");
        }
    }
}
