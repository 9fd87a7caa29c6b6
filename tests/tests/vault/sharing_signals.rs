//! Signals about what is shared: to those it is shared with, as a user and as a member of a group, and to nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokenvault_proto::SetUserOptions;

use crate::common::*;
use crate::signals::{next, told};

fn active(active: bool) -> SetUserOptions {
    SetUserOptions { active: Some(active), ..defaults() }
}

through_both_doors! {
    fn whom_a_token_is_shared_with_is_told_so_and_then_of_every_change(door) {
        let vault = Vault::start();
        let clients = [ALICE, BOB, CAROL].map(|user| (user, vault.client(user, door)));
        let [mut alices, mut bobs, mut carols] =
            clients.each_ref().map(|(user, client)| user.run(|| client.subscribe()).unwrap());
        let [(_, alice), (_, bob), (_, carol)] = &clients;
        alice.put("t", b"1", &defaults()).unwrap();
        alice.share("t", "user:bob", &defaults()).unwrap();
        // Each user of these tests has a group of its own.
        alice.share("t", "group:carol", &ShareOptions { permission: Some("write".into()), ..defaults() }).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        carol.put("t", b"3", &PutOptions { owner: Some("user:alice".into()), ..defaults() }).unwrap();
        alice.rename("t", "u", &defaults()).unwrap();
        alice.unshare("u", "user:bob", &defaults()).unwrap();
        alice.put("u", b"4", &defaults()).unwrap();
        alice.delete("u", &defaults()).unwrap();
        let changes = ["uid:4242 t put 2", "uid:4242 t put 3", "uid:4242 t renamed 0", "uid:4242 u renamed 3"];
        let last = ["uid:4242 u put 4", "uid:4242 u deleted 0"];
        for (client, name) in [(alice, "a"), (bob, "b"), (carol, "c")] {
            client.put(name, b"1", &defaults()).unwrap();
        }
        // Each hears of its own after what it must not hear of.
        told(&mut alices, &["uid:4242 t put 1"]);
        for subscription in [&mut bobs, &mut carols] {
            told(subscription, &["uid:4242 t shared"]);
        }
        for subscription in [&mut alices, &mut bobs, &mut carols] {
            told(subscription, &changes);
        }
        for subscription in [&mut alices, &mut carols] {
            told(subscription, &last);
        }
        told(&mut alices, &["uid:4242 a put 1"]);
        told(&mut bobs, &["uid:4243 b put 1"]);
        told(&mut carols, &["uid:4244 c put 1"]);
    }

    fn whom_tokens_are_shared_with_is_told_what_becomes_of_their_owner(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        let clients = [BOB, CAROL].map(|user| (user, vault.client(user, door)));
        let mut subscriptions = clients.each_ref().map(|(user, client)| user.run(|| client.subscribe()).unwrap());
        alice.put("t", b"1", &defaults()).unwrap();
        alice.share("t", "user:bob", &defaults()).unwrap();
        alice.share("t", "group:carol", &defaults()).unwrap();
        root.set_user(ALICE.uid, &active(false)).unwrap();
        root.set_user(ALICE.uid, &active(true)).unwrap();
        root.freeze_user(ALICE.uid).unwrap();
        root.adopt_user(ALICE.uid, &defaults()).unwrap();
        alice.put("t", b"2", &defaults()).unwrap();
        root.purge_user(ALICE.uid).unwrap();
        for subscription in &mut subscriptions {
            told(subscription, &[
                "uid:4242 t shared", "uid:4242  disabled 0", "uid:4242  enabled 0", "uid:4242  frozen 0",
                "uid:4242  adopted 0", "uid:4242 t put 2", "uid:4242  frozen 0",
            ]);
        }
    }

    fn who_subscribes_and_looks_then_misses_nothing_of_what_is_shared(door) {
        let vault = Vault::builder().limit("writes-per-second", 0).start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("t", b"1", &defaults()).unwrap();
        alice.share("t", "user:bob", &defaults()).unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let writes = scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    alice.put("t", b"v", &defaults()).unwrap();
                }
            });
            let looked = thread::scope(|looks| looks.spawn(|| {
                for _ in 0..100 {
                    // Nobody else listens, so that what is written meanwhile was begun while nobody did.
                    let mut subscription = BOB.run(|| bob.subscribe()).unwrap();
                    let of_alice = DescribeOptions { owner: Some("user:alice".into()) };
                    let seen = bob.describe("t", &of_alice).unwrap().version;
                    let later = std::iter::repeat_with(|| next(&mut subscription))
                        .map(|line| line.strip_prefix("uid:4242 t put ").unwrap().parse::<u64>().unwrap())
                        .find(|version| *version > seen);
                    assert_eq!(later, Some(seen + 1));
                    subscription.unsubscribe().unwrap();
                }
            }).join());
            is_over.store(true, Ordering::SeqCst);
            writes.join().unwrap();
            looked.unwrap();
        });
    }
}
