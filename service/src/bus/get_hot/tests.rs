//! Calls over a whole service: which are answered where they are read, and that the others leave nothing.

pub mod home;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use tokenvault_core::token::{Expiry, PutOptions};
use tokenvault_proto::MANAGER_INTERFACE;
use zbus::{Message, Variant};

use self::home::{Home, UID, attributes, build, call, get, get_from};
use super::*;

type Options = BTreeMap<&'static str, Variant<'static>>;

/// A service with a token `a` that lies opened, at its private door.
async fn opened() -> Home {
    let mut home = Home::new().await;
    home.known().await;
    home.hold("a", b"value", PutOptions::default());
    home
}

fn value(reply: Reply) -> Vec<u8> {
    let mut value = Vec::new();
    File::from(reply.value.unwrap()).read_to_end(&mut value).unwrap();
    value
}

#[tokio::test]
async fn a_get_of_what_lies_opened_is_answered_counted_and_noted() {
    let home = opened().await;
    home.write_down();
    let reply = home.answer(&get("a")).expect("it lies opened");
    assert_eq!((home.unread(), home.waiting()), (1, 1));
    assert!(home.service.limiter.enter(UID).is_err(), "it is not in flight until it is written");
    assert!(home.service.limiter.pay(UID, Kind::Read).is_err(), "it is paid for");
    assert_eq!(value(reply), b"value");
    home.lift_rate();
    assert_eq!(home.answer(&get("a")).map(value).as_deref(), Some(&b"value"[..]));
}

#[tokio::test]
async fn what_is_no_plain_get_is_left_to_others() {
    let home = opened().await;
    let options = |key, value: Variant<'static>| Options::from([(key, value)]);
    for other in [
        build(call("Describe"), &("a", Options::new())),
        build(call("Get").path("/org"), &("a", Options::new())),
        build(call("Get").interface(MANAGER_INTERFACE), &("a", Options::new())),
        build(call("Get").sender(":1.7"), &("a", Options::new())),
        build(call("Get"), &("a",)),
        build(call("Get"), &("a", Options::new(), 1_u8)),
        build(call("Get"), &("", Options::new())),
        build(call("Get"), &("b", Options::new())),
        build(call("Get"), &("a", options("owner", format!("uid:{UID}").into()))),
        build(call("Get"), &("a", options("owner", "machine".into()))),
        build(call("Get"), &("a", options("version", 1_u64.into()))),
        build(call("Get"), &("a", options("unknown", 1_u64.into()))),
        build(call("Get"), &("a", options("purpose", "x".repeat(1_500).into()))),
    ] {
        home.leaves_alone(&other);
    }
    home.was_left_alone();
    assert!(home.answer(&build(call("Get"), &("a", options("purpose", "backup".into())))).is_some());
}

#[tokio::test]
async fn who_is_over_a_limit_is_left_to_others() {
    let home = opened().await;
    let in_flight = home.service.limiter.enter(UID).unwrap();
    home.leaves_alone(&get("a"));
    drop(in_flight);
    home.service.limiter.pay(UID, Kind::Read).expect("nothing was paid for");
    home.leaves_alone(&get("a"));
    home.service.limiter.enter(UID).expect("nothing is in flight");
    home.lift_rate();
    assert!(home.answer(&get("a")).is_some());
}

#[tokio::test]
async fn who_has_too_much_unread_is_left_to_others() {
    let home = opened().await;
    home.limit_pipes(1);
    let unread = home.service.pipes.reserve(UID, 5, None).unwrap().send(&home.secret(b"value")).unwrap();
    home.leaves_alone(&get("a"));
    assert_eq!(home.unread(), 1);
    home.was_left_alone();
    let mut value = [0; 5];
    File::from(unread).read_exact(&mut value).unwrap();
    assert!(home.answer(&get("a")).is_some(), "what was read counts no more");
}

#[tokio::test]
async fn who_is_not_known_or_owes_silence_is_left_to_others() {
    let mut home = Home::new().await;
    home.hold("a", b"value", PutOptions::default());
    home.leaves_alone(&get("a"));
    home.known().await;
    for _ in 0..1_000 {
        home.service.pace.note_refusal(UID);
    }
    home.leaves_alone(&get("a"));
    home.service.pace.hold_back(UID).await;
    home.was_left_alone();
    assert!(home.answer(&get("a")).is_some());
}

#[tokio::test]
async fn what_is_long_or_long_to_tell_is_left_to_others() {
    let mut home = opened().await;
    home.hold("long", &[7; pipe::PAGE + 1], PutOptions::default());
    home.leaves_alone(&get("long"));
    let told = |bytes| PutOptions { attributes: Some(attributes(bytes)), ..PutOptions::default() };
    home.hold("told at length", b"value", told(5_000));
    home.leaves_alone(&get("told at length"));
    home.hold("told", b"value", told(3_000));
    home.was_left_alone();
    assert!(home.answer(&get("told")).is_some());
}

#[tokio::test]
async fn on_a_bus_who_is_known_to_it_is_answered_while_there_are_places() {
    let home = opened().await.on_a_bus().await;
    home.leaves_alone(&get("a"));
    home.leaves_alone(&get_from(":1.8"));
    let places = home.take_places();
    home.leaves_alone(&get_from(":1.7"));
    let count = places.len();
    drop(places);
    home.was_left_alone();
    let reply = home.answer(&get_from(":1.7")).expect("there are places");
    assert_eq!(home.take_places().len(), count - 1, "it takes a place");
    assert_eq!(value(reply), b"value");
}

#[tokio::test]
async fn on_a_bus_who_is_over_a_limit_keeps_no_place() {
    let home = opened().await.on_a_bus().await;
    let count = home.take_places().len();
    let in_flight = home.service.limiter.enter(UID).unwrap();
    home.leaves_alone(&get_from(":1.7"));
    drop(in_flight);
    home.limit_pipes(1);
    let unread = home.service.pipes.reserve(UID, 5, None).unwrap().send(&home.secret(b"value")).unwrap();
    home.leaves_alone(&get_from(":1.7"));
    home.limit_pipes(2);
    home.service.limiter.pay(UID, Kind::Read).expect("nothing was paid for");
    home.leaves_alone(&get_from(":1.7"));
    assert_eq!(home.take_places().len(), count);
    home.lift_rate();
    assert!(home.answer(&get_from(":1.7")).is_some());
    drop(unread);
}

#[tokio::test]
async fn what_is_told_of_a_token_is_what_zbus_makes_of_it() {
    let mut home = opened().await;
    let expiring = PutOptions { expiry: Expiry::After(3_600_000_000), ..PutOptions::default() };
    home.hold("père/b", b"value", PutOptions { require_purpose: Some(true), ..expiring });
    home.hold("c", &[7; 4_000], PutOptions { attributes: Some(attributes(2_500)), ..PutOptions::default() });
    for name in ["a", "père/b", "c"] {
        let info = home.info(name);
        let call = Message::method_call(OBJECT_PATH, "Get").build(&()).unwrap();
        let value = std::io::pipe().unwrap().0;
        let body = (zbus::Fd::from(&value), encode::token(&info));
        let reply = Message::method_return(&call.header()).build(&body).unwrap();
        assert_eq!(*told(&info).unwrap(), *reply.body().data().bytes(), "{name}");
    }
}
