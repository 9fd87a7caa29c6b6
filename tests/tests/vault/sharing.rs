//! Sharing with users and groups, through every way in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::*;
use crate::run::*;

const ROUNDS: usize = 1_000;
const ROUNDS_OF_A_GROUP: usize = 200;
const WANTERS: usize = 64;
/// Longer ago than anything here takes.
const HOUR: u64 = 3_600_000_000;

fn of(user: User) -> Option<String> {
    Some(format!("user:{}", user.name))
}

fn get_of(user: User) -> GetOptions {
    GetOptions { owner: of(user), ..defaults() }
}

fn put_of(user: User) -> PutOptions {
    PutOptions { owner: of(user), ..defaults() }
}

fn named(user: User) -> DescribeOptions {
    DescribeOptions { owner: of(user) }
}

fn with_me() -> ListOptions {
    ListOptions { shared_with_me: Some(true), ..defaults() }
}

fn to_write() -> ShareOptions {
    ShareOptions { permission: Some("write".into()), ..defaults() }
}

through_every_client! {
    fn whom_a_token_is_shared_with_fetches_describes_and_lists_it(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("ci/key", b"secret", &PutOptions { attributes: attributes(&[("env", "prod")]), ..defaults() }).unwrap();
        alice.put("own", b"secret", &defaults()).unwrap();
        let options = ShareOptions { note: Some("for the night run".into()), ..defaults() };
        alice.share("ci/key", "user:bob", &options).unwrap();
        for owner in ["user:alice", "uid:4242"] {
            let options = GetOptions { owner: Some(owner.into()), ..defaults() };
            assert_eq!(bob.get("ci/key", &options).unwrap().data(), b"secret", "{owner}");
        }
        let told = bob.describe("ci/key", &named(ALICE)).unwrap();
        assert_eq!((told.owner.as_str(), told.permission.as_str(), told.shared), ("uid:4242", "read", true));
        assert_eq!((told.note.as_deref(), told.attributes["env"].as_str()), (Some("for the night run"), "prod"));
        assert_eq!(*bob.get("ci/key", &get_of(ALICE)).unwrap().info(), told);
        for filter in [with_me(), ListOptions { owner: of(ALICE), ..defaults() }] {
            assert_eq!(bob.list(&filter).unwrap().0, std::slice::from_ref(&told), "{filter:?}");
        }
        let filter = ListOptions { attributes: attributes(&[("env", "test")]), ..with_me() };
        assert_eq!(bob.list(&filter).unwrap().0, []);
        assert_eq!(bob.list(&defaults()).unwrap().0, [], "it is not his");
        assert_eq!(alice.list(&with_me()).unwrap().0, []);
        let share = &alice.shares("ci/key", &defaults()).unwrap()[0];
        assert_eq!((share.grantee.as_str(), share.note.as_deref()), ("user:bob", Some("for the night run")));
        assert_eq!(alice.describe("ci/key", &defaults()).unwrap().permission, "owner");
    }

    fn a_grantee_with_write_puts_versions_and_leaves_what_is_known(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        let options = PutOptions { attributes: attributes(&[("env", "prod")]), keep_versions: Some(3), ..defaults() };
        alice.put("t", b"1", &options).unwrap();
        alice.get("t", &defaults()).unwrap();
        alice.share("t", "user:bob", &to_write()).unwrap();
        assert_eq!(bob.put("t", b"22", &put_of(ALICE)).unwrap(), 2);
        let made = bob.generate("t", &GenerateOptions { owner: of(ALICE), length: Some(8), ..defaults() }).unwrap();
        assert_eq!((made.info().version, made.info().permission.as_str()), (3, "write"));
        assert_eq!(alice.get("t", &defaults()).unwrap().data(), made.data());
        assert_eq!(alice.describe("t", &defaults()).unwrap().attributes["env"], "prod");
        assert_eq!((alice.status().unwrap().tokens, bob.status().unwrap().tokens), (1, 0), "it counts for its owner");
        for (option, options) in [
            ("attributes", PutOptions { attributes: attributes(&[("a", "b")]), ..put_of(ALICE) }),
            ("class", PutOptions { class: Some("machine".into()), ..put_of(ALICE) }),
            ("keep-versions", PutOptions { keep_versions: Some(1), ..put_of(ALICE) }),
            ("require-purpose", PutOptions { require_purpose: Some(true), ..put_of(ALICE) }),
            ("'ttl'", PutOptions { ttl: Some(HOUR), ..put_of(ALICE) }),
            ("'expires'", PutOptions { expires: Some(u64::MAX >> 1), ..put_of(ALICE) }),
        ] {
            let error = refused(bob.put("t", b"w", &options));
            assert_eq!(error.code(), ErrorCode::AccessDenied, "{option}");
            assert!(error.to_string().contains(option), "{error}");
        }
        assert_eq!(alice.versions("t", &defaults()).unwrap().len(), 3);
    }

    fn nothing_is_given_once_a_share_has_ended(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"secret", &defaults()).unwrap();
        alice.share("t", "user:bob", &ShareOptions { uses: Some(2), ..to_write() }).unwrap();
        bob.get("t", &get_of(ALICE)).unwrap();
        bob.put("t", b"new", &put_of(ALICE)).unwrap();
        assert_eq!(code(bob.get("t", &get_of(ALICE))), ErrorCode::NotFound);
        assert_eq!(code(bob.put("t", b"new", &put_of(ALICE))), ErrorCode::NotFound);
        assert_eq!(alice.shares("t", &defaults()).unwrap(), []);
        alice.share("t", "user:bob", &defaults()).unwrap();
        bob.get("t", &get_of(ALICE)).unwrap();
        alice.unshare("t", "uid:4243", &defaults()).unwrap();
        assert_eq!(code(bob.get("t", &get_of(ALICE))), ErrorCode::NotFound);
        assert_eq!(code(bob.describe("t", &named(ALICE))), ErrorCode::NotFound);
        assert_eq!(bob.list(&with_me()).unwrap().0, []);
        assert_eq!(code(alice.unshare("t", "user:bob", &defaults())), ErrorCode::NotFound);
    }

    fn a_share_expires(door) {
        let vault = Vault::start();
        let (alice, bob) = (door.client(&vault, ALICE), door.client(&vault, BOB));
        alice.put("t", b"secret", &defaults()).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let soon = u64::try_from(now.as_micros()).unwrap() + 5_000_000;
        alice.share("t", "user:bob", &ShareOptions { expires: Some(soon), ..defaults() }).unwrap();
        bob.get("t", &get_of(ALICE)).unwrap();
        wait::until("the share to end", || alice.shares("t", &defaults()).unwrap().is_empty().then_some(()));
        assert_eq!(code(bob.get("t", &get_of(ALICE))), ErrorCode::NotFound);
    }

    fn who_sees_a_token_is_told_what_is_its_owners_to_do(door) {
        let vault = Vault::start();
        let (alice, bob, carol) = (door.client(&vault, ALICE), door.client(&vault, BOB), door.client(&vault, CAROL));
        alice.put("t", b"1", &defaults()).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        alice.share("t", "user:bob", &defaults()).unwrap();
        for (who, expected) in [(&bob, ErrorCode::AccessDenied), (&carol, ErrorCode::NotFound)] {
            let share = ShareOptions { owner: of(ALICE), ..defaults() };
            let answers = [
                code(who.put("t", b"w", &put_of(ALICE))),
                code(who.generate("t", &GenerateOptions { owner: of(ALICE), ..defaults() })),
                code(who.get("t", &GetOptions { version: Some(1), ..get_of(ALICE) })),
                code(who.versions("t", &named(ALICE))),
                code(who.rollback("t", 1, &named(ALICE))),
                code(who.annotate("t", &AnnotateOptions { owner: of(ALICE), ..defaults() })),
                code(who.rename("t", "u", &named(ALICE))),
                code(who.delete("t", &DeleteOptions { owner: of(ALICE), ..defaults() })),
                code(who.share("t", "user:carol", &share)),
                code(who.unshare("t", "user:bob", &named(ALICE))),
                code(who.shares("t", &named(ALICE))),
                code(who.offer("t", &tokenvault_proto::OfferOptions { owner: of(ALICE), ..defaults() })),
            ];
            assert_eq!(answers, [expected; 12]);
        }
        assert_eq!(alice.versions("t", &defaults()).unwrap().len(), 2);
    }

    fn what_is_shared_with_a_group_is_its_members(door) {
        let vault = Vault::start();
        let (alice, bob, carol) = (door.client(&vault, ALICE), door.client(&vault, BOB), door.client(&vault, CAROL));
        alice.put("t", b"secret", &defaults()).unwrap();
        // Each user of these tests has a group of its own.
        alice.share("t", "group:bob", &to_write()).unwrap();
        assert_eq!(bob.get("t", &get_of(ALICE)).unwrap().data(), b"secret");
        assert_eq!(bob.put("t", b"new", &put_of(ALICE)).unwrap(), 2);
        assert_eq!(bob.describe("t", &named(ALICE)).unwrap().permission, "write");
        assert_eq!(names(&bob.list(&with_me()).unwrap().0), ["t"]);
        assert_eq!(code(bob.versions("t", &named(ALICE))), ErrorCode::AccessDenied);
        assert_eq!(code(carol.get("t", &get_of(ALICE))), ErrorCode::NotFound);
        assert_eq!(carol.list(&with_me()).unwrap().0, []);
        alice.share("t", "user:bob", &defaults()).unwrap();
        let listed = bob.list(&with_me()).unwrap().0;
        assert_eq!((listed.len(), listed[0].permission.as_str()), (1, "write"), "once, and with all that is shared");
        alice.unshare("t", "group:bob", &defaults()).unwrap();
        assert_eq!(bob.describe("t", &named(ALICE)).unwrap().permission, "read");
    }

    fn machine_tokens_are_shared_with_users_too(door) {
        let vault = Vault::start();
        let (root, bob) = (door.client(&vault, ROOT), door.client(&vault, BOB));
        root.put("m", b"secret", &defaults()).unwrap();
        let machine = GetOptions { owner: Some("machine".into()), ..defaults() };
        assert_eq!(code(bob.get("m", &machine)), ErrorCode::NotFound);
        root.share("m", "user:bob", &to_write()).unwrap();
        assert_eq!(bob.get("m", &machine).unwrap().data(), b"secret");
        assert_eq!(bob.put("m", b"new", &PutOptions { owner: Some("machine".into()), ..defaults() }).unwrap(), 2);
        assert_eq!(code(bob.put("other", b"v", &PutOptions { owner: Some("machine".into()), ..defaults() })), ErrorCode::AccessDenied);
    }

    fn who_is_no_grantee_is_named_and_so_is_a_note_that_is_none(door) {
        let vault = Vault::start();
        let (root, alice) = (door.client(&vault, ROOT), door.client(&vault, ALICE));
        alice.put("a/b", b"v", &defaults()).unwrap();
        root.put("a/b", b"v", &defaults()).unwrap();
        let note = |text: String| ShareOptions { note: Some(text), ..defaults() };
        for (grantee, options, word) in [
            ("user:nobody-has-this-name", defaults(), "user"),
            ("group:nobody-has-this-name", defaults(), "group"),
            ("uid:31337", defaults(), "user"),
            ("uid:61184", defaults(), "user"),
            ("user:alice", defaults(), "owner"),
            ("uid:4242", defaults(), "owner"),
            ("user:", defaults(), "grantee"),
            ("gid:1", defaults(), "grantee"),
            ("user:bob", note("a\nb".into()), "note"),
            ("user:bob", note("n".repeat(1025)), "note"),
        ] {
            let error = refused(alice.share("a/b", grantee, &options));
            assert_eq!(error.code(), ErrorCode::InvalidArgs, "{grantee}");
            assert!(error.to_string().contains(word), "{grantee}: {error}");
        }
        let error = refused(root.share("a/b", "unit:app.service", &defaults()));
        assert_eq!(error.code(), ErrorCode::InvalidArgs);
        assert!(error.to_string().contains("'/'"), "{error}");
        assert_eq!(alice.shares("a/b", &defaults()).unwrap(), []);
    }
}

through_both_doors! {
    fn of_many_who_want_the_last_use_one_gets_the_value_and_nobody_meets_a_limit(door) {
        let vault = Vault::builder().limit("connections", 128).start();
        let alice = vault.client(ALICE, door);
        // A token for each: what has ended with a user would be all there is to be told of what has ended with a group.
        for name in ["user:bob", "group:bob"] {
            alice.put(name, b"value", &defaults()).unwrap();
        }
        let clients: Vec<Client> = (0..WANTERS).map(|_| vault.client(BOB, door)).collect();
        let of_group = ["group:bob"].into_iter().cycle().take(ROUNDS_OF_A_GROUP);
        for (round, name) in of_group.chain(["user:bob"].into_iter().cycle().take(ROUNDS)).enumerate() {
            alice.share(name, name, &ShareOptions { uses: Some(1), ..defaults() }).unwrap();
            let answers: Vec<Result<Vec<u8>, ErrorCode>> = thread::scope(|scope| {
                let get = |client: &Client| match client.get(name, &get_of(ALICE)) {
                    Ok(value) => Ok(value.data().to_vec()),
                    Err(error) => Err(error.code()),
                };
                let asks: Vec<_> = clients.iter().map(|client| scope.spawn(move || get(client))).collect();
                asks.into_iter().map(|ask| ask.join().unwrap()).collect()
            });
            let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            assert_eq!(won, [Ok(b"value".to_vec())], "round {round}");
            assert!(lost.iter().all(|answer| *answer == Err(ErrorCode::NotFound)), "round {round}: {lost:?}");
        }
    }

    fn from_the_moment_a_share_is_ended_no_read_begins_to_succeed(door) {
        let vault = Vault::builder().limit("misses-per-second", 0).limit("writes-per-second", 0).start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("t", b"value", &defaults()).unwrap();
        for _ in 0..100 {
            alice.share("t", "user:bob", &defaults()).unwrap();
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let reads = scope.spawn(|| loop {
                    let was_over = is_over.load(Ordering::SeqCst);
                    let read = bob.get("t", &get_of(ALICE)).is_ok();
                    assert!(!(was_over && read), "a read that began after the end");
                    if was_over {
                        return;
                    }
                });
                // The owner's reads have it lie opened.
                alice.get("t", &defaults()).unwrap();
                alice.unshare("t", "user:bob", &defaults()).unwrap();
                is_over.store(true, Ordering::SeqCst);
                reads.join().unwrap();
            });
        }
    }

    fn a_group_of_another_name_or_number_gives_nothing(door) {
        let mut vault = Vault::builder().limit("misses-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        alice.put("t", b"value", &defaults()).unwrap();
        alice.share("t", "group:bob", &defaults()).unwrap();
        drop(alice);
        for (from, to, gives) in [
            ("bob:x:4243:", "friends:x:4243:", false),
            ("friends:x:4243:", "bob:x:4300:", false),
            ("bob:x:4300:", "bob:x:4243:", true),
        ] {
            vault.users().edit_groups(|groups| groups.replace(from, to));
            vault.restart();
            vault.wait_for_state("serving");
            let bob = vault.client(BOB, door);
            assert_eq!(bob.get("t", &get_of(ALICE)).is_ok(), gives, "{to}");
            assert_eq!(bob.list(&with_me()).unwrap().0.len(), usize::from(gives), "{to}");
        }
        vault.users().edit_groups(|groups| groups.replace("bob:x:4243:\n", ""));
        vault.restart();
        vault.wait_for_state("serving");
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        assert_eq!(code(bob.get("t", &get_of(ALICE))), ErrorCode::NotFound);
        assert_eq!(alice.shares("t", &defaults()).unwrap()[0].grantee, "group:bob", "listed, though it is gone");
        alice.unshare("t", "group:bob", &defaults()).unwrap();
    }

    fn what_was_shared_with_a_deleted_user_is_not_the_next_ones(door) {
        let mut vault = Vault::builder().limit("misses-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        for name in ["read", "write"] {
            alice.put(name, b"value", &defaults()).unwrap();
        }
        alice.share("read", "user:bob", &defaults()).unwrap();
        alice.share("write", "user:bob", &to_write()).unwrap();
        drop(alice);
        vault.users().hand_over(BOB.uid, Some("mallory")).unwrap();
        vault.restart();
        vault.wait_for_state("serving");
        let newcomer = User { name: "mallory", uid: BOB.uid };
        let mallory = vault.client(newcomer, door);
        for name in ["read", "write"] {
            assert_eq!(code(mallory.get(name, &get_of(ALICE))), ErrorCode::NotFound);
            assert_eq!(code(mallory.describe(name, &named(ALICE))), ErrorCode::NotFound);
            assert_eq!(code(mallory.put(name, b"w", &put_of(ALICE))), ErrorCode::NotFound);
            assert_eq!(code(mallory.versions(name, &named(ALICE))), ErrorCode::NotFound);
        }
        assert_eq!(mallory.list(&with_me()).unwrap().0, []);
        let alice = vault.client(ALICE, door);
        assert_eq!(alice.shares("read", &defaults()).unwrap()[0].grantee, "user:bob");
        ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "user", "freeze", "4243"]));
        assert_eq!(alice.shares("read", &defaults()).unwrap(), [], "it ends with its user");
    }

    fn what_is_shared_is_listed_by_pages(door) {
        let vault = Vault::start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        let expected: Vec<String> = (0..25).map(|number| format!("page/{number:02}")).collect();
        for name in &expected {
            alice.put(name, b"v", &defaults()).unwrap();
            alice.share(name, "user:bob", &defaults()).unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (tokens, next) = bob.list(&ListOptions { limit: Some(10), after, ..with_me() }).unwrap();
            assert!(tokens.len() <= 10);
            seen.extend(tokens.into_iter().map(|token| token.name));
            if next.is_empty() {
                break;
            }
            after = Some(next);
        }
        assert_eq!(seen, expected);
        vault.client(CAROL, door).put("hers", b"v", &defaults()).unwrap();
        vault.client(CAROL, door).share("hers", "user:bob", &defaults()).unwrap();
        let of_one = |user: User| bob.list(&ListOptions { owner: of(user), ..with_me() }).unwrap().0;
        assert_eq!(names(&of_one(ALICE)), expected);
        assert_eq!((names(&of_one(CAROL)), of_one(BOB)), (vec!["hers"], vec![]));
    }
}

#[test]
fn the_commands_share_fetch_store_and_list() {
    let vault = Vault::start();
    let say = |user: User, arguments: &[&str], input: &[u8]| run_with(&vault, user, Door::Socket, arguments, input);
    ok(say(ALICE, &["tokenvault", "put", "key"], b"secret"));
    let share = ["tokenvault", "share", "key", "user:bob", "--permission", "write", "--expires", "7d", "--uses", "3"];
    ok(say(ALICE, &[&share[..], &["--note", "for the night run"]].concat(), b""));
    assert_eq!(ok(say(BOB, &["tokenvault", "get", "key", "--owner", "user:alice"], b"")), "secret");
    assert_eq!(ok(say(BOB, &["tokenvault", "put", "key", "--owner", "user:alice"], b"newer")), "2\n");
    let listed = ok(say(BOB, &["tokenvault", "list", "--shared-with-me"], b""));
    assert!(["key", "uid:4242", "write", "for the night run"].iter().all(|word| listed.contains(word)), "{listed}");
    let row = &json(&ok(say(BOB, &["tokenvault", "list", "--shared-with-me", "--json"], b"")))["tokens"][0];
    assert_eq!((&row["note"], &row["permission"]), (&"for the night run".into(), &"write".into()));
    let told = ok(say(BOB, &["tokenvault", "describe", "key", "--owner", "uid:4242"], b""));
    assert!(told.contains("for the night run"), "{told}");
    let shares = ok(say(ALICE, &["tokenvault", "shares", "key"], b""));
    assert!(shares.contains("user:bob") && shares.contains("for the night run"), "{shares}");
    let (status, said) = failed(say(BOB, &["tokenvault", "rm", "key", "--owner", "user:alice"], b""));
    assert!(status == 4 && said.contains("shared with you"), "{said}");
    ok(say(ALICE, &["tokenvault", "unshare", "key", "user:bob"], b""));
    let (status, _) = failed(say(BOB, &["tokenvault", "get", "key", "--owner", "user:alice"], b""));
    assert_eq!(status, 3);
}
