//! Signals: who is told of what, in which order, and what becomes of subscribers who do not read, leave, or may no longer.

use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use tokenvault_client::{Notice, Subscription};
use tokenvault_proto::{SIGNALS_MAX, SetUserOptions};

use crate::common::*;

/// The next notice, in a line: owner, name and what happened.
#[track_caller]
pub fn next(subscription: &mut Subscription) -> String {
    match subscription.next(wait::PATIENCE).unwrap().expect("nothing is told") {
        Notice::Changed { owner, name, change, version } => format!("{owner} {name} {change} {version}"),
        Notice::Expiring { owner, name, .. } => format!("{owner} {name} expiring"),
        Notice::Shared { owner, name } => format!("{owner} {name} shared"),
        Notice::Operation(info) => format!("{} {}", info.operation, info.state),
        Notice::Lost => "lost".to_owned(),
    }
}

/// Waits for these lines and no others.
#[track_caller]
pub fn told(subscription: &mut Subscription, lines: &[&str]) {
    for line in lines {
        assert_eq!(next(subscription), *line);
    }
}

/// Waits until what expires is told: a vault that was opened a moment ago tells nothing of what was due before it was first
/// looked at.
fn watch_expiry(vault: &Vault, door: Door) {
    let carol = vault.client(CAROL, door);
    let mut subscription = CAROL.run(|| carol.subscribe()).unwrap();
    wait::until("what expires to be told", || {
        carol.put("early", b"1", &PutOptions { ttl: Some(1_000_000), ..defaults() }).unwrap();
        let mut is_told = false;
        while let Some(notice) = subscription.next(Duration::from_secs(4)).unwrap() {
            is_told |= matches!(notice, Notice::Changed { change, .. } if change == "expired");
            if is_told {
                break;
            }
        }
        is_told.then_some(())
    });
}

type NoOptions = HashMap<&'static str, zbus::Variant<'static>>;

fn of_machine() -> PutOptions {
    PutOptions { owner: Some("machine".into()), ..defaults() }
}

through_both_doors! {
    fn every_change_is_told_to_its_owner_in_its_order(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        alice.put("t", b"1", &defaults()).unwrap();
        alice.generate("t", &defaults()).unwrap();
        alice.rollback("t", 1, &defaults()).unwrap();
        alice.annotate("t", &AnnotateOptions { content_type: Some("text/plain".into()), ..defaults() }).unwrap();
        alice.rename("t", "u", &defaults()).unwrap();
        alice.delete("u", &DeleteOptions { version: Some(1), ..defaults() }).unwrap();
        alice.delete("u", &defaults()).unwrap();
        told(&mut subscription, &[
            "uid:4242 t put 1", "uid:4242 t generated 2", "uid:4242 t rolled-back 3", "uid:4242 t annotated 3",
            "uid:4242 t renamed 0", "uid:4242 u renamed 3", "uid:4242 u version-deleted 3", "uid:4242 u deleted 0",
        ]);
        assert_eq!(subscription.next(Duration::ZERO).unwrap(), None);
        subscription.unsubscribe().unwrap();
    }

    fn nobody_is_told_of_another_users_tokens(door) {
        let vault = Vault::start();
        let clients = [ALICE, BOB, ROOT].map(|user| (user, vault.client(user, door)));
        let [mut alice, mut bob, mut root] =
            clients.each_ref().map(|(user, client)| user.run(|| client.subscribe()).unwrap());
        let [(_, alices), (_, bobs), (_, roots)] = &clients;
        alices.put("a", b"1", &PutOptions { class: Some("machine".into()), ..defaults() }).unwrap();
        alices.delete("a", &defaults()).unwrap();
        bobs.put("b", b"1", &defaults()).unwrap();
        roots.put("m", b"1", &of_machine()).unwrap();
        roots.share("m", "unit:app.service", &defaults()).unwrap();
        bobs.put("last", b"1", &defaults()).unwrap();
        alices.put("last", b"1", &defaults()).unwrap();
        roots.put("last", b"1", &of_machine()).unwrap();
        // Each hears of its own after what it must not hear of, and of nothing before it.
        told(&mut alice, &["uid:4242 a put 1", "uid:4242 a deleted 0", "uid:4242 last put 1"]);
        told(&mut bob, &["uid:4243 b put 1", "uid:4243 last put 1"]);
        told(&mut root, &["uid:0 m put 1", "uid:0 last put 1"]);
    }

    fn of_the_machines_tokens_root_is_told_and_no_other_administrator_who_cannot_list_them(door) {
        let vault = Vault::start();
        let (root, bob) = (vault.client(ROOT, door), vault.client(BOB, door));
        root.set_user(BOB.uid, &SetUserOptions { role: Some("admin".into()), ..defaults() }).unwrap();
        let (mut bobs, mut roots) = (BOB.run(|| bob.subscribe()).unwrap(), root.subscribe().unwrap());
        bob.put("m", b"1", &of_machine()).unwrap();
        assert!(bob.list(&ListOptions { owner: Some("machine".into()), ..defaults() }).unwrap().0.is_empty());
        bob.put("own", b"1", &defaults()).unwrap();
        told(&mut bobs, &["uid:4243 own put 1"]);
        told(&mut roots, &["uid:0 m put 1"]);
    }

    fn what_a_subscriber_must_not_hear_of_costs_it_nothing(door) {
        let vault = Vault::builder().limit("writes-per-second", 0).start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        for number in 0..SIGNALS_MAX {
            if number % 8 == 0 {
                root.put("m", b"1", &of_machine()).unwrap();
            }
            alice.put("t", b"1", &defaults()).unwrap();
        }
        // Neither the machine's changes nor anybody's work are among those that are sent ahead.
        root.verify_audit(&defaults()).unwrap();
        alice.put("t", b"1", &defaults()).unwrap();
        let lines: Vec<String> = (1..=SIGNALS_MAX).map(|version| format!("uid:4242 t put {version}")).collect();
        // All of them were sent ahead, before any was read.
        let count = lines.iter().take_while(|line| next(&mut subscription) == **line).count();
        assert_eq!(count, SIGNALS_MAX);
    }

    fn who_is_enabled_again_is_told_at_once_that_something_is_lost(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        watch_expiry(&vault, door);
        let ends_soon = PutOptions { ttl: Some(6_000_000), ..defaults() };
        alice.put("t", b"1", &ends_soon).unwrap();
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        let active = |active| SetUserOptions { active: Some(active), ..defaults() };
        root.set_user(ALICE.uid, &active(false)).unwrap();
        // Hers expires before root's.
        let mut roots = root.subscribe().unwrap();
        root.put("m", b"1", &PutOptions { owner: Some("machine".into()), ..ends_soon }).unwrap();
        told(&mut roots, &["uid:0 m put 1", "uid:0 m expired 0"]);
        root.set_user(ALICE.uid, &active(true)).unwrap();
        told(&mut subscription, &["lost"]);
    }

    fn who_is_disabled_or_frozen_is_told_nothing_and_then_that_something_is_lost(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        watch_expiry(&vault, door);
        let for_a_while = PutOptions { ttl: Some(6_000_000), ..defaults() };
        alice.put("t", b"1", &for_a_while).unwrap();
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        root.freeze_user(ALICE.uid).unwrap();
        assert_eq!(code(ALICE.run(|| alice.subscribe())), ErrorCode::AccessDenied);
        // Hers expires before bob's: of that she is not told.
        let bob = vault.client(BOB, door);
        let mut bobs = BOB.run(|| bob.subscribe()).unwrap();
        bob.put("t", b"1", &for_a_while).unwrap();
        told(&mut bobs, &["uid:4243 t put 1", "uid:4243 t expired 0"]);
        root.adopt_user(ALICE.uid, &defaults()).unwrap();
        told(&mut subscription, &["lost"]);
        alice.put("u", b"1", &defaults()).unwrap();
        told(&mut subscription, &["uid:4242 u put 1"]);
        root.set_user(ALICE.uid, &SetUserOptions { active: Some(false), ..defaults() }).unwrap();
        let refusal = refused(ALICE.run(|| alice.subscribe()));
        assert!(refusal.code() == ErrorCode::AccessDenied && refusal.to_string().contains("disabled"), "{refusal}");
    }

    fn what_expires_is_told_ahead_of_time_and_when_it_does(door) {
        let vault = Vault::builder().extra("notify.expiring-before = [\"1h\", \"4s\"]").start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        let bob = vault.client(BOB, door);
        let mut others = BOB.run(|| bob.subscribe()).unwrap();
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        watch_expiry(&vault, door);
        alice.put("t", b"1", &PutOptions { ttl: Some(8_000_000), ..defaults() }).unwrap();
        told(&mut subscription, &["uid:4242 t put 1", "uid:4242 t expiring", "uid:4242 t expired 0"]);
        assert_eq!(code(alice.get("t", &defaults())), ErrorCode::NotFound);
        bob.put("own", b"1", &defaults()).unwrap();
        told(&mut others, &["uid:4243 own put 1"]);
        // Administrators can ask for all of them.
        let (expiring, next) = root.expiring(&defaults()).unwrap();
        let listed = expiring.iter().any(|token| (token.name.as_str(), token.owner.as_str()) == ("t", "uid:4242"));
        assert!(listed && next.is_empty(), "{expiring:?}");
        assert_eq!(code(alice.expiring(&defaults())), ErrorCode::AccessDenied);
    }

    fn who_does_not_read_is_told_so_much_and_delays_nobody(door) {
        let mut vault = Vault::builder().limit("writes-per-second", 0).limit("subscriptions", 8).start();
        let alice = vault.client(ALICE, door);
        let most = if door == Door::Bus { 4 } else { 8 };
        let mut stalled: Vec<Subscription> = (0..most).map(|_| ALICE.run(|| alice.subscribe()).unwrap()).collect();
        alice.put("t", &[0; 100], &defaults()).unwrap();
        let (before, begun) = (vault.daemon().process().memory_kib("VmRSS"), Instant::now());
        let puts = 20 * SIGNALS_MAX;
        for _ in 0..puts {
            alice.put("t", &[0; 100], &defaults()).unwrap();
        }
        let grown = vault.daemon().process().memory_kib("VmRSS").saturating_sub(before);
        println!("{puts} writes with {most} subscribers who do not read: {:?}, {grown} KiB more", begun.elapsed());
        assert!(grown < 16 * 1024, "{grown} KiB");
        for subscription in &mut stalled {
            let mut count = 0;
            while next(subscription) != "lost" {
                count += 1;
            }
            assert_eq!(count, SIGNALS_MAX, "so many are sent ahead, and the last says that something is lost");
        }
        // It is subscribed again by then.
        alice.delete("t", &defaults()).unwrap();
        told(&mut stalled[0], &["uid:4242 t deleted 0"]);
    }

    fn who_has_lost_something_is_subscribed_no_more(door) {
        let vault = Vault::builder().limit("writes-per-second", 0).limit("subscriptions", 1).start();
        let alice = vault.client(ALICE, door);
        let one_that_never_reads = vault.wire(ALICE, door);
        one_that_never_reads.call(MANAGER_INTERFACE, "Subscribe", &NoOptions::new()).unwrap();
        for _ in 0..SIGNALS_MAX {
            alice.put("t", b"1", &defaults()).unwrap();
        }
        assert_eq!(code(ALICE.run(|| alice.subscribe())), ErrorCode::LimitsExceeded, "nothing is lost so far");
        alice.put("t", b"1", &defaults()).unwrap();
        let mut another = wait::until("the place of who lost something", || ALICE.run(|| alice.subscribe()).ok());
        alice.delete("t", &defaults()).unwrap();
        told(&mut another, &["uid:4242 t deleted 0"]);
    }

    fn who_reads_is_told_everything(door) {
        let vault = Vault::builder().limit("writes-per-second", 0).start();
        let alice = vault.client(ALICE, door);
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        let puts = 5 * SIGNALS_MAX;
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..puts / 32 {
                    for _ in 0..32 {
                        alice.put("t", b"1", &defaults()).unwrap();
                    }
                }
            });
            let (mut versions, mut lost) = (0, false);
            while versions < puts {
                let line = next(&mut subscription);
                let Some(version) = line.strip_prefix("uid:4242 t put ") else {
                    // So fast is nobody read here; what follows is still in its order.
                    assert_eq!(line, "lost");
                    lost = true;
                    continue;
                };
                let version: usize = version.parse().unwrap();
                assert!(version == versions + 1 || lost && version > versions, "{version} after {versions}");
                (versions, lost) = (version, false);
            }
        });
    }

    fn subscriptions_are_few_and_end_with_their_connections(door) {
        let vault = Vault::builder().limit("subscriptions", 2).limit("subscriptions-total", 3).start();
        let (alice, bob, carol) = (vault.client(ALICE, door), vault.client(BOB, door), vault.client(CAROL, door));
        let subscribe = |user: User, client: &Client| user.run(|| client.subscribe());
        let (first, _second) = (subscribe(ALICE, &alice).unwrap(), subscribe(ALICE, &alice).unwrap());
        let refusal = refused(subscribe(ALICE, &alice));
        assert!(refusal.code() == ErrorCode::LimitsExceeded && refusal.to_string().contains("'subscriptions'"), "{refusal}");
        let _bobs = subscribe(BOB, &bob).unwrap();
        let refusal = refused(subscribe(CAROL, &carol));
        assert!(refusal.to_string().contains("'subscriptions-total'"), "{refusal}");
        // One that says that it ends, and one that is only closed.
        first.unsubscribe().unwrap();
        let third = subscribe(CAROL, &carol).unwrap();
        drop(third);
        wait::until("a closed connection to be no subscription any more", || subscribe(CAROL, &carol).ok());
    }

    fn a_call_may_be_made_on_the_connection_that_is_subscribed(door) {
        let vault = Vault::builder().limit("subscriptions", 1).start();
        let (alice, wire) = (vault.client(ALICE, door), vault.wire(ALICE, door));
        let no_options = NoOptions::new();
        wire.call(MANAGER_INTERFACE, "Subscribe", &no_options).unwrap();
        wire.call(MANAGER_INTERFACE, "Subscribe", &no_options).unwrap();
        alice.put("t", b"1", &defaults()).unwrap();
        wire.call(TOKENS_INTERFACE, "Describe", &("t", &no_options)).unwrap();
        assert_eq!(code(ALICE.run(|| alice.subscribe())), ErrorCode::LimitsExceeded);
        wire.call(MANAGER_INTERFACE, "Unsubscribe", &no_options).unwrap();
        wire.call(MANAGER_INTERFACE, "Unsubscribe", &no_options).unwrap();
        // The connection is there as before, and is not subscribed.
        let _another = ALICE.run(|| alice.subscribe()).unwrap();
        wire.call(TOKENS_INTERFACE, "Describe", &("t", &no_options)).unwrap();
        let unknown = HashMap::from([("nonsense", zbus::Variant::from(true))]);
        for method in ["Subscribe", "Unsubscribe"] {
            let refusal = wire.call(MANAGER_INTERFACE, method, &unknown).unwrap_err();
            assert!(refusal.name.ends_with("InvalidArgs") && refusal.text.contains("nonsense"), "{refusal:?}");
        }
    }

    fn a_restart_ends_a_subscription_and_says_so(door) {
        let mut vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        vault.restart();
        let refusal = refused(subscription.next(wait::PATIENCE));
        assert_eq!(refusal.code(), ErrorCode::Unavailable);
        assert_helpful(&refusal);
        vault.wait_for_state("serving");
        let alice = vault.client(ALICE, door);
        let mut subscription = ALICE.run(|| alice.subscribe()).unwrap();
        alice.put("t", b"1", &defaults()).unwrap();
        told(&mut subscription, &["uid:4242 t put 1"]);
    }

    fn long_work_is_told_to_who_began_it_and_to_nobody_who_may_not_ask_for_it(door) {
        let vault = Vault::start();
        let (root, alice) = (vault.client(ROOT, door), vault.client(ALICE, door));
        root.set_user(ALICE.uid, &SetUserOptions { role: Some("admin".into()), ..defaults() }).unwrap();
        let (mut subscription, mut other) = (root.subscribe().unwrap(), ALICE.run(|| alice.subscribe()).unwrap());
        root.verify_audit(&defaults()).unwrap();
        told(&mut subscription, &["VerifyAudit running", "VerifyAudit done"]);
        alice.put("t", b"1", &defaults()).unwrap();
        told(&mut other, &["uid:4242 t put 1"]);
    }
}

#[test]
fn a_bus_that_goes_ends_the_subscriptions_there_and_none_elsewhere() {
    let mut vault = Vault::builder().limit("subscriptions", 2).start();
    let (on_the_bus, beside) = (vault.client(ALICE, Door::Bus), vault.client(ALICE, Door::Socket));
    let mut lost = ALICE.run(|| on_the_bus.subscribe()).unwrap();
    let mut kept = ALICE.run(|| beside.subscribe()).unwrap();
    vault.stop_bus();
    assert_eq!(refused(lost.next(wait::PATIENCE)).code(), ErrorCode::Unavailable);
    vault.start_bus();
    let mut again = wait::until("the vault to be on the bus", || {
        vault.client_if_up(ALICE, Door::Bus).and_then(|client| ALICE.run(|| client.subscribe()).ok())
    });
    beside.put("t", b"1", &defaults()).unwrap();
    told(&mut kept, &["uid:4242 t put 1"]);
    told(&mut again, &["uid:4242 t put 1"]);
}
