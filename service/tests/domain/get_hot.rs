//! Reads that ask nobody: answered for what lies opened, and otherwise as if nothing had been asked.

mod asked;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokenvault_core::audit::{AuditRecord, Outcome};
use tokenvault_core::name::Hint;
use tokenvault_core::owner::Owner;
use tokenvault_core::token::{Annotation, Expiry, GetRequest, PutOptions};
use tokenvault_core::vault::daemon;

use self::asked::{Asked, finds, finds_nothing, read, write_down};
use crate::fixture::*;

const CAROL: u32 = 1003;

/// A vault in which one token of Alice's lies opened, who she is, and what she asks for.
fn opened() -> (Home, User, GetRequest) {
    let home = Home::new();
    let alice = home.alice();
    alice.put("a", b"value").unwrap();
    alice.get("a").unwrap();
    let request = alice.get_request("a");
    (home, alice, request)
}

fn purpose(text: &str) -> Hint {
    Hint::parse("purpose", text).unwrap()
}

#[test]
fn what_lies_opened_is_found_and_what_was_not_read_is_not() {
    let home = Home::new();
    let alice = home.alice();
    let request = alice.get_request("a");
    finds_nothing(&home, &alice, &request);
    alice.put("a", b"value").unwrap();
    finds_nothing(&home, &alice, &request);
    alice.describe("a").unwrap();
    finds_nothing(&home, &alice, &request);
    alice.get("a").unwrap();
    for _ in 0..3 {
        finds(&home, &alice, &request, b"value");
    }
    finds_nothing(&home, &alice, &alice.get_request("b"));
    let long = vec![7; 5_000];
    home.bob().put("long", &long).unwrap();
    assert_eq!(home.bob().get("long").unwrap(), long);
    finds_nothing(&home, &home.bob(), &home.bob().get_request("long"));
    finds(&home, &alice, &request, b"value");
}

#[test]
fn every_write_of_its_owner_ends_it_and_no_other_does() {
    let (home, alice, request) = opened();
    home.bob().put("a", b"his").unwrap();
    home.bob().delete("a").unwrap();
    finds(&home, &alice, &request, b"value");
    let change = || Annotation { keep_versions: Some(5), ..Annotation::default() };
    let writes: [&dyn Fn(); 8] = [
        &|| drop(alice.put("a", b"value").unwrap()),
        &|| drop(alice.put("b", b"another").unwrap()),
        &|| drop(alice.generate("b", b"made").unwrap()),
        &|| drop(alice.rollback("b", 1).unwrap()),
        &|| alice.annotate("b", change()).unwrap(),
        &|| alice.rename("b", "c").unwrap(),
        &|| alice.delete_version("c", 1).unwrap(),
        &|| alice.delete("c").unwrap(),
    ];
    for write in writes {
        alice.get("a").unwrap();
        finds(&home, &alice, &request, b"value");
        write();
        finds_nothing(&home, &alice, &request);
    }
    alice.get("a").unwrap();
    alice.delete("a").unwrap();
    finds_nothing(&home, &alice, &request);
}

#[test]
fn what_changed_while_it_was_read_does_not_lie_there() {
    let (home, alice, request) = opened();
    alice.put("b", b"another").unwrap();
    let meanwhile = || alice.put("a", b"changed").map(drop);
    let opened = alice.open_when("a", meanwhile).unwrap().value;
    assert_eq!(alice.read_on(opened).unwrap(), b"value", "it was read before");
    finds_nothing(&home, &alice, &request);
    alice.get("a").unwrap();
    finds(&home, &alice, &request, b"changed");
}

/// A write of a user's whose answer keeps the writer's thread until the other end of the channel is gone.
fn write_and_hold(user: &User, name: &str) -> (SyncSender<()>, Receiver<()>) {
    let (hold, held) = sync_channel(0);
    let (answered, answer) = sync_channel(1);
    user.begin_put(name, b"changed", move |stored| {
        stored.unwrap();
        answered.send(()).unwrap();
        let _let_go = held.recv();
    });
    (hold, answer)
}

#[test]
fn what_was_committed_ends_it_before_anybody_is_told() {
    let (home, alice, request) = opened();
    let bob = home.bob();
    write_down(&home);
    let (hold, answered) = write_and_hold(&bob, "a");
    answered.recv().unwrap();
    // The writer's thread is held: the next two writes are committed together, and the first of them is answered first.
    let (hold_next, answered_next) = write_and_hold(&bob, "b");
    let (told, answer) = sync_channel(1);
    alice.begin_put("a", b"changed", move |stored| told.send(stored.map(drop)).unwrap());
    drop(hold);
    answered_next.recv().unwrap();
    assert_eq!(alice.describe("a").unwrap().version, 2, "it is committed");
    for _ in 0..2 {
        assert_eq!(read(&home, &alice, &request, (|| true, || true)), (None, Asked::default()));
        assert_eq!(alice.get("a").unwrap(), b"changed");
    }
    drop(hold_next);
    answer.recv().unwrap().unwrap();
    assert_eq!(alice.get("a").unwrap(), b"changed");
    finds(&home, &alice, &request, b"changed");
}

#[test]
fn behind_a_seal_and_after_it_nothing_is_found() {
    let (home, alice, request) = opened();
    write_down(&home);
    home.vault().seal(&daemon()).unwrap();
    assert_eq!(read(&home, &alice, &request, (|| true, || true)), (None, Asked::default()));
    assert_eq!(home.vault().audit_waiting(), 0);
    home.unseal().unwrap();
    home.settle();
    // Who she is was read with the keys of this opening, and the token with those of the one before.
    alice.describe("a").unwrap();
    finds_nothing(&home, &alice, &request);
    alice.get("a").unwrap();
    finds(&home, &alice, &request, b"value");
}

#[test]
fn what_was_read_with_the_keys_of_another_opening_does_not_lie_there() {
    let (home, alice, request) = opened();
    alice.put("a", b"another").unwrap();
    let meanwhile = || {
        home.vault().seal(&daemon()).unwrap();
        home.unseal()
    };
    let opened = alice.open_when("a", meanwhile).unwrap().value;
    assert_eq!(alice.read_on(opened).unwrap(), b"another");
    home.settle();
    alice.describe("a").unwrap();
    finds_nothing(&home, &alice, &request);
}

#[test]
fn time_purpose_and_version_are_judged_each_time() {
    let (home, alice, request) = opened();
    let first = GetRequest { version: Some(1), ..request.clone() };
    finds_nothing(&home, &alice, &first);
    finds(&home, &alice, &request, b"value");
    let options = PutOptions { expiry: Expiry::After(10 * SECOND), ..PutOptions::default() };
    alice.put_with("short", b"value", options).unwrap();
    let stated = PutOptions { require_purpose: Some(true), ..PutOptions::default() };
    alice.put_with("stated", b"value", stated).unwrap();
    alice.get("short").unwrap();
    alice.get_for("stated", "deploy").unwrap();
    let (short, stated) = (alice.get_request("short"), alice.get_request("stated"));
    finds_nothing(&home, &alice, &stated);
    finds(&home, &alice, &GetRequest { purpose: purpose("deploy"), ..stated }, b"value");
    home.clock.advance_usec(10 * SECOND - 1);
    finds(&home, &alice, &short, b"value");
    home.clock.advance_usec(1);
    finds_nothing(&home, &alice, &short);
}

#[test]
fn it_is_found_for_its_owner_alone() {
    let (home, alice, request) = opened();
    home.bob().put("a", b"his").unwrap();
    home.bob().get("a").unwrap();
    home.root().of(Owner::Machine).put("a", b"the machine's").unwrap();
    home.root().of(Owner::Machine).get("a").unwrap();
    let carol = User::new(home.vault(), CAROL);
    for owner in [Owner::Uid(BOB), Owner::Uid(ROOT), Owner::Uid(CAROL), Owner::Machine, Owner::Nobody] {
        finds_nothing(&home, &alice, &GetRequest { owner, ..request.clone() });
    }
    for other in [&home.bob(), &home.root(), &carol] {
        finds_nothing(&home, other, &GetRequest { owner: Owner::Uid(ALICE), ..request.clone() });
    }
    finds_nothing(&home, &carol, &request);
    finds_nothing(&home, &home.alice().renamed("mallory"), &request);
    finds(&home, &alice, &request, b"value");
    finds(&home, &alice, &GetRequest { owner: Owner::Uid(ALICE), ..request.clone() }, b"value");
    finds(&home, &home.bob(), &request, b"his");
    finds(&home, &home.root(), &GetRequest { owner: Owner::Machine, ..request }, b"the machine's");
}

#[test]
fn where_the_log_is_to_be_durable_nothing_is_found() {
    let (home, alice, request) = opened();
    home.set(|settings| settings.audit_durable = true);
    finds_nothing(&home, &alice, &request);
    home.set(|settings| settings.audit_durable = false);
    finds(&home, &alice, &request, b"value");
}

#[test]
fn where_there_is_no_place_or_it_is_not_filled_nothing_is_noted() {
    let (home, alice, request) = opened();
    write_down(&home);
    assert_eq!(read(&home, &alice, &request, (|| false, || true)), (None, Asked { places: 1, fills: 0 }));
    assert_eq!(read(&home, &alice, &request, (|| true, || false)), (None, Asked { places: 1, fills: 1 }));
    assert_eq!(home.vault().audit_waiting(), 0);
    assert!(!home.vault().audit_waits());
    finds(&home, &alice, &request, b"value");
}

#[test]
fn what_cannot_be_noted_is_not_given() {
    let (home, alice, request) = opened();
    write_down(&home);
    let sealed = || {
        home.vault().seal(&daemon()).unwrap();
        true
    };
    assert_eq!(read(&home, &alice, &request, (|| true, sealed)), (None, Asked { places: 1, fills: 1 }));
    assert_eq!(home.vault().audit_waiting(), 0);
}

#[test]
fn it_is_written_down_as_any_other_read() {
    let (home, alice, request) = opened();
    let request =
        GetRequest { purpose: purpose("nightly backup"), app: Hint::parse("app", "cron").unwrap(), ..request };
    home.clock.advance_usec(SECOND);
    home.vault().get(&alice.caller, &request, Ok).unwrap();
    home.clock.advance_usec(SECOND);
    for _ in 0..5 {
        assert!(read(&home, &alice, &request, (|| true, || true)).0.is_some());
    }
    let of_this = |record: &AuditRecord| record.purpose == "nightly backup" && record.outcome == Outcome::Ok;
    let told: Vec<AuditRecord> = records(&home).into_iter().filter(of_this).collect();
    let [ordinary, first, rest] = told.try_into().unwrap();
    let after = AuditRecord { time: first.time, ..ordinary };
    assert_eq!(after, first);
    assert_eq!(AuditRecord { count: 4, ..after }, rest, "equal ones within a second are folded");
    assert_eq!((first.uid, first.owner, first.version, first.name.as_str()), (ALICE, Some(ALICE), 1, "a"));
}
