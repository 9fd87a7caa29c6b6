//! What ends a value in chunks on its way in or out: the vault, its owner or who moves it is no longer what it was.

use std::sync::mpsc::sync_channel;

use tokenvault_core::caller::Door;
use tokenvault_core::crypto::chunk::CHUNK_BYTES;
use tokenvault_core::token::{Attachment, Class, OpenedValue, PutOptions, Redeemed};
use tokenvault_core::unit::UnitName;
use tokenvault_core::user::{NameNow, Named, UserChanges};

use crate::fixture::*;

/// Disables a user, or enables it again.
fn set_active(home: &Home, uid: u32, active: bool) {
    let subject = Named { uid, user: NameNow::Is(user::caller(uid).user) };
    let changes = UserChanges { active: Some(active), ..UserChanges::default() };
    home.vault().set_user(&home.root().caller, &subject, &changes).unwrap();
}

fn log_in(home: &Home, user: &User) {
    home.vault().enrol_login(&user.caller, &user.caller, secret(&[7; 32])).unwrap();
    home.vault().unlock_login(&user.caller, &user.caller, &secret(&[7; 32])).unwrap();
}

fn login_class(user: &User) -> PutOptions {
    PutOptions { class: Some(Class::Login), ..user.options() }
}

/// A reader that has had the first chunk of four.
fn reading(opened: OpenedValue) -> Attachment {
    let OpenedValue::Chunked(_, rest) = opened else { panic!("it is in one piece") };
    rest
}

/// What a code gives, of which nothing but the first chunk was read.
fn redeemed_opened(user: &User, code: &str) -> OpenedValue {
    let Redeemed::Value(_, value) = user.redeem_sized(code, "", long(3, 1).len() as u64).unwrap() else {
        panic!("it has another size")
    };
    value
}

#[test]
fn a_vault_that_was_sealed_takes_no_more_of_what_began_before() {
    let home = Home::new();
    let alice = home.alice();
    let (mut upload, end) = alice.half_upload("t", &alice.options());
    home.vault().seal(&alice.caller).unwrap();
    assert_eq!(refused(alice.feed(&mut upload, &end, true)), Refused::Sealed);
    home.unseal().unwrap();
    drop(upload);
    let (mut upload, end) = alice.half_upload("t", &alice.options());
    let mut whole = alice.begin_upload("u", &alice.options()).unwrap();
    alice.feed(&mut whole, &long(1, 1), true).unwrap();
    home.vault().seal(&alice.caller).unwrap();
    home.unseal().unwrap();
    assert_eq!(refused(alice.feed(&mut upload, &end, true)), Refused::Unavailable);
    assert_eq!(refused(alice.finish_upload("u", alice.options(), whole)), Refused::Unavailable);
    drop(upload);
    assert!(alice.list().unwrap().is_empty());
    wait_until("nothing of it to be counted", || alice.usage().unwrap().1 == 0);
    home.check_counters();
}

#[test]
fn a_disabled_user_writes_no_more_of_what_it_began() {
    let home = Home::new();
    let alice = home.alice();
    let (mut upload, end) = alice.half_upload("t", &alice.options());
    set_active(&home, ALICE, false);
    assert_eq!(refused(alice.feed(&mut upload, &end, true)), Refused::AccessDenied);
    set_active(&home, ALICE, true);
    let (mut upload, end) = alice.half_upload("t", &alice.options());
    alice.feed(&mut upload, &end, true).unwrap();
    set_active(&home, ALICE, false);
    assert_eq!(refused(alice.finish_upload("t", alice.options(), upload)), Refused::AccessDenied);
}

#[test]
fn who_has_logged_out_stores_nothing_of_class_login() {
    let home = Home::new();
    let alice = home.alice();
    log_in(&home, &alice);
    let (mut upload, end) = alice.half_upload("t", &login_class(&alice));
    alice.feed(&mut upload, &end, true).unwrap();
    home.vault().lock_login(&alice.caller, ALICE).unwrap();
    assert_eq!(refused(alice.finish_upload("t", login_class(&alice), upload)), Refused::Locked);
    assert_eq!(refused(alice.get("t")), Refused::NotFound);
}

#[test]
fn a_limit_that_is_lowered_counts_for_what_is_coming_in() {
    let home = Home::new();
    let alice = home.alice();
    let (mut upload, end) = alice.half_upload("t", &alice.options());
    home.set(|settings| settings.attachment_bytes = 100_000);
    assert_eq!(refused(alice.feed(&mut upload, &end, true)), Refused::InvalidArgs);
}

#[test]
fn a_reader_gets_no_more_when_it_is_disabled_or_its_owner_is() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    alice.attach("t", &long(3, 1)).unwrap();
    for disabled in [ALICE, BOB] {
        let code = alice.offer("t").unwrap().code.to_string();
        let mut rest = reading(redeemed_opened(&bob, &code));
        assert!(home.vault().read_chunk(&mut rest).unwrap().is_some());
        set_active(&home, disabled, false);
        assert_eq!(refused(home.vault().read_chunk(&mut rest)), Refused::AccessDenied, "{disabled}");
        set_active(&home, disabled, true);
        assert!(home.vault().read_chunk(&mut rest).unwrap().is_some());
    }
}

#[test]
fn a_reader_gets_no_more_of_class_login_when_its_owner_logs_out() {
    let home = Home::new();
    let alice = home.alice();
    log_in(&home, &alice);
    alice.attach_with("t", &long(3, 1), login_class(&alice)).unwrap();
    alice.attach("machine", &long(3, 2)).unwrap();
    let (mut login, mut machine) =
        (reading(alice.open("t").unwrap().value), reading(alice.open("machine").unwrap().value));
    home.vault().lock_login(&alice.caller, ALICE).unwrap();
    assert_eq!(refused(home.vault().read_chunk(&mut login)), Refused::Locked);
    assert!(home.vault().read_chunk(&mut machine).unwrap().is_some());
}

#[test]
fn a_unit_is_given_what_is_stored_in_the_same_commit() {
    let home = Home::new();
    let root = home.root();
    let value = &long(3, 1);
    root.put("key", b"before").unwrap();
    root.share_with("key", "unit:app.service", None, Some(2)).unwrap();
    let mut upload = root.begin_upload("key", &root.options()).unwrap();
    root.feed(&mut upload, value, true).unwrap();
    // What is queued while the writer is held up is one commit.
    let (hold, held) = sync_channel::<()>(0);
    root.begin_put("other", b"1", move |_| {
        let _let_go = held.recv();
    });
    let (stored, whether_stored) = sync_channel(1);
    let name = user::name("key");
    home.vault().put_upload(name, root.options(), upload, Box::new(move |info| drop(stored.send(info.map(|_| ())))));
    let manager = tokenvault_core::Caller { door: Door::Credential, ..user::caller(ROOT) };
    let (given, what) = sync_channel(1);
    let reply = Box::new(move |result| drop(given.send(result)));
    home.vault().load_credential(&manager, &UnitName::parse("app.service").unwrap(), "key", reply);
    drop(hold);
    whether_stored.recv().unwrap().unwrap();
    let credential = what.recv().unwrap().map_err(|refusal| refusal.to_string()).unwrap();
    assert_eq!(credential.version, 2);
    assert!(credential.value.expose() == value);
    assert!(value.len() > 2 * CHUNK_BYTES);
}
