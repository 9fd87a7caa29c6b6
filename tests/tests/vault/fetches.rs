//! Who fetched a token: told to its owner, at both doors and by the command.

use tokenvault_proto::{FetchInfo, FetchesOptions};

use crate::common::*;
use crate::run::*;

fn told(fetch: &FetchInfo) -> (u32, &str, &str, u64, &str) {
    (fetch.uid, fetch.user.as_str(), fetch.operation.as_str(), fetch.version, fetch.door.as_str())
}

through_both_doors! {
    fn the_owner_sees_who_fetched_a_token_and_nobody_else_does(door) {
        let vault = Vault::start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("t", b"1", &defaults()).unwrap();
        alice.put("other", b"1", &defaults()).unwrap();
        assert_eq!(alice.fetches("t", &defaults()).unwrap(), (Vec::new(), String::new()));
        let asked = GetOptions { purpose: Some("nightly backup".into()), app: Some("cron".into()), ..defaults() };
        alice.get("t", &asked).unwrap();
        alice.get("other", &defaults()).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        // Which has what was read so far written.
        alice.fetches("t", &defaults()).unwrap();
        let (offer, _) = alice.offer("t", &defaults()).unwrap();
        bob.redeem(&offer, &defaults()).unwrap();
        let (fetches, next) = alice.fetches("t", &defaults()).unwrap();
        assert_eq!(next, "");
        let door = door.as_str();
        let expected = [(BOB.uid, BOB.name, "Redeem", 2, door), (ALICE.uid, ALICE.name, "Get", 1, door)];
        assert_eq!(fetches.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!((fetches[1].app.as_str(), fetches[1].purpose.as_str()), ("cron", "nightly backup"));
        assert!(fetches[0].time >= fetches[1].time && fetches[1].time > 1_600_000_000_000_000);
        let (page, next) = alice.fetches("t", &FetchesOptions { limit: Some(1), ..defaults() }).unwrap();
        assert_eq!((page.as_slice(), next.is_empty()), (&fetches[..1], false));
        let rest = FetchesOptions { after: Some(next), ..defaults() };
        assert_eq!(alice.fetches("t", &rest).unwrap().0, fetches[1..]);
        assert_eq!(code(bob.fetches("t", &defaults())), ErrorCode::NotFound);
        let foreign = FetchesOptions { owner: Some(format!("uid:{}", ALICE.uid)), ..defaults() };
        assert_eq!(code(bob.fetches("t", &foreign)), ErrorCode::NotFound);
        alice.share("t", "user:bob", &defaults()).unwrap();
        bob.get("t", &GetOptions { owner: foreign.owner.clone(), ..defaults() }).unwrap();
        assert_eq!(code(bob.fetches("t", &foreign)), ErrorCode::AccessDenied, "that is for its owner to see");
        let newest = &alice.fetches("t", &defaults()).unwrap().0[0];
        assert_eq!(told(newest), (BOB.uid, BOB.name, "Get", 2, door));
    }

    fn who_fetched_machine_tokens_is_shown_to_root(door) {
        let vault = Vault::start();
        let root = vault.client(ROOT, door);
        root.put("key", b"1", &defaults()).unwrap();
        root.get("key", &defaults()).unwrap();
        let machine = || FetchesOptions { owner: Some("machine".into()), ..defaults() };
        assert_eq!(root.fetches("key", &machine()).unwrap().0.len(), 1);
        let alice = vault.client(ALICE, door);
        for name in ["key", "missing"] {
            assert_eq!(code(alice.fetches(name, &machine())), ErrorCode::AccessDenied, "{name}");
        }
    }

    fn what_is_no_page_is_refused(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"1", &defaults()).unwrap();
        alice.put("other", b"1", &defaults()).unwrap();
        alice.get("other", &defaults()).unwrap();
        let (_, elsewhere) = alice.fetches("other", &FetchesOptions { limit: Some(1), ..defaults() }).unwrap();
        assert!(!elsewhere.is_empty());
        for options in [
            FetchesOptions { after: Some("nonsense".into()), ..defaults() },
            FetchesOptions { after: Some("7".into()), ..defaults() },
            FetchesOptions { after: Some(elsewhere), ..defaults() },
            FetchesOptions { limit: Some(0), ..defaults() },
            FetchesOptions { limit: Some(1_001), ..defaults() },
        ] {
            assert_eq!(code(alice.fetches("t", &options)), ErrorCode::InvalidArgs, "{options:?}");
        }
    }
}

#[test]
fn the_command_lists_them_for_people_and_programs() {
    let vault = Vault::start();
    let alice = vault.client(ALICE, Door::Socket);
    alice.put("t", b"1", &defaults()).unwrap();
    alice.get("t", &GetOptions { purpose: Some("to see".into()), ..defaults() }).unwrap();
    let text = ok(run(&vault, ALICE, Door::Socket, &["tokenvault", "fetches", "t"]));
    let row = text.lines().find(|line| line.contains("Get")).expect("a row");
    for word in [ALICE.uid.to_string().as_str(), ALICE.name, "socket", "to see"] {
        assert!(row.contains(word), "{word} in {text}");
    }
    let (status, line) = failed(run(&vault, BOB, Door::Socket, &["tokenvault", "fetches", "t"]));
    assert_eq!(status, 3, "{line}");
}
