//! Tokens that expire: as if they had never been, at the moment they do.

use crate::common::*;

/// Short enough to wait for. It may be over before anybody looks.
const SHORT: u64 = 400_000;

fn wait_until_gone(client: &impl Tokens, name: &str) {
    wait::until("the token to expire", || client.info(name).err().map(|error| error.code()));
}

through_every_client! {
    fn an_expired_token_is_as_if_it_had_never_been(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("later", b"1", &PutOptions { ttl: Some(3_600_000_000), ..defaults() }).unwrap();
        assert!(alice.describe("later", &defaults()).unwrap().expires.is_some());
        alice.delete("later", &defaults()).unwrap();
        alice.put("t", b"1", &PutOptions { ttl: Some(SHORT), ..defaults() }).unwrap();
        wait_until_gone(&alice, "t");
        let missing = refused(alice.get("missing", &defaults()));
        assert_eq!(refused(alice.get("t", &defaults())), missing);
        assert_eq!(refused(alice.get("t", &GetOptions { version: Some(1), ..defaults() })), missing);
        assert_eq!(refused(alice.versions("t", &defaults())), missing);
        assert_eq!(refused(alice.annotate("t", &AnnotateOptions { expires: Some(0), ..defaults() })), missing);
        assert_eq!(refused(alice.rename("t", "u", &defaults())), missing);
        assert_eq!(refused(alice.rollback("t", 1, &defaults())), missing);
        assert_eq!(refused(alice.delete("t", &defaults())), missing);
        assert_eq!(alice.list(&defaults()).unwrap().0, []);
    }

    fn the_name_of_an_expired_token_counts_as_free(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"1", &PutOptions { ttl: Some(SHORT), ..defaults() }).unwrap();
        alice.put("u", b"other", &defaults()).unwrap();
        wait_until_gone(&alice, "t");
        alice.put("t", b"2", &PutOptions { mode: Some("create".into()), ..defaults() }).unwrap();
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), b"2");
    }

    fn an_expiry_can_be_set_moved_and_taken_away(door) {
        let vault = Vault::start();
        let alice = door.client(&vault, ALICE);
        alice.put("t", b"1", &defaults()).unwrap();
        let at = alice.describe("t", &defaults()).unwrap().created + 3_600_000_000;
        alice.annotate("t", &AnnotateOptions { expires: Some(at), ..defaults() }).unwrap();
        assert_eq!(alice.describe("t", &defaults()).unwrap().expires, Some(at));
        alice.annotate("t", &AnnotateOptions { expires: Some(0), ..defaults() }).unwrap();
        assert_eq!(alice.describe("t", &defaults()).unwrap().expires, None);
        alice.put("u", b"1", &PutOptions { expires: Some(at), ..defaults() }).unwrap();
        assert_eq!(alice.get("u", &defaults()).unwrap().info().expires, Some(at));
    }
}

through_both_doors! {
    fn an_expiry_that_makes_no_sense_is_refused(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let both = PutOptions { ttl: Some(SHORT), expires: Some(u64::MAX), ..defaults() };
        let past = PutOptions { expires: Some(1), ..defaults() };
        let nothing = PutOptions { ttl: Some(0), ..defaults() };
        let never_ends = PutOptions { ttl: Some(u64::MAX), ..defaults() };
        for options in [both, past, nothing, never_ends] {
            assert_eq!(code(alice.put("t", b"1", &options)), ErrorCode::InvalidArgs, "{options:?}");
        }
        assert_eq!(code(alice.describe("t", &defaults())), ErrorCode::NotFound);
    }
}
