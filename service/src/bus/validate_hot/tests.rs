//! Validations over a whole service: which are answered where they are read, and that the others leave nothing.

use std::collections::BTreeMap;

use tokenvault_proto::{Claims, MANAGER_INTERFACE};
use zbus::message::Builder;
use zbus::{Message, Variant};

use super::*;
use crate::bus::get_hot::tests::home::{Home, UID, attributes, build};

type Given = BTreeMap<&'static str, Variant<'static>>;

fn call() -> Builder<'static> {
    Message::method_call(OBJECT_PATH, "Validate").interface(ISSUER_INTERFACE)
}

fn validate(token: &str) -> Message {
    build(call(), &(token, Given::new()))
}

/// A service with a token that lies opened, at its private door.
async fn opened() -> (Home, String) {
    let home = Home::new().await;
    home.known().await;
    let token = home.issue(attributes(0));
    (home, token)
}

#[tokio::test]
async fn a_valid_token_that_lies_opened_is_answered_counted_and_noted() {
    let (home, token) = opened().await;
    let reply = home.answer(&validate(&token)).expect("it lies opened");
    assert!(reply.value.is_none());
    assert_eq!((home.unread(), home.waiting()), (0, 1));
    assert!(home.service.limiter.enter(UID).is_err(), "it is not in flight until it is written");
    assert!(home.service.limiter.pay(UID, Kind::Read).is_err(), "it is paid for");
}

#[tokio::test]
async fn what_is_not_plainly_valid_is_left_to_others() {
    let (home, token) = opened().await;
    let given = |key, value: Variant<'static>| (token.as_str(), Given::from([(key, value)]));
    let last = if token.ends_with('0') { '1' } else { '0' };
    let other = format!("{}{last}", &token[..token.len() - 1]);
    for call in [
        build(call().path("/org"), &(&token, Given::new())),
        build(call().interface(MANAGER_INTERFACE), &(&token, Given::new())),
        build(call().sender(":1.7"), &(&token, Given::new())),
        build(call(), &(&token,)),
        validate(""),
        validate(&other),
        build(call(), &given("consume", true.into())),
        build(call(), &given("audience", "web".into())),
        build(call(), &given("scopes", vec!["read".to_owned()].into())),
        build(call(), &given("unknown", true.into())),
    ] {
        home.leaves_alone(&call);
    }
    home.was_left_alone();
    assert!(home.answer(&build(call(), &given("consume", false.into()))).is_some());
}

#[tokio::test]
async fn who_is_over_a_limit_and_what_is_long_to_tell_is_left_to_others() {
    let (home, token) = opened().await;
    let long = home.issue(attributes(2_000));
    home.leaves_alone(&validate(&long));
    let in_flight = home.service.limiter.enter(UID).unwrap();
    home.leaves_alone(&validate(&token));
    drop(in_flight);
    home.service.limiter.pay(UID, Kind::Read).expect("nothing was paid for");
    home.leaves_alone(&validate(&token));
    home.service.limiter.enter(UID).expect("nothing is in flight");
    home.lift_rate();
    assert!(home.answer(&validate(&token)).is_some());
}

#[tokio::test]
async fn on_a_bus_who_is_known_to_it_is_answered() {
    let (home, token) = opened().await;
    let home = home.on_a_bus().await;
    home.leaves_alone(&validate(&token));
    home.leaves_alone(&build(call().sender(":1.8"), &(&token, Given::new())));
    assert!(home.answer(&build(call().sender(":1.7"), &(&token, Given::new()))).is_some());
}

#[tokio::test]
async fn what_is_told_is_what_zbus_makes_of_it() {
    let (home, token) = opened().await;
    let caller = crate::bus::get_hot::tests::home::caller();
    let request = decode_issued::validate(&token, ValidateOptions::default()).unwrap();
    let info = home.service.vault.validate_hot(&caller, &request, |token| Some(token.info().clone())).unwrap();
    let call = validate(&token);
    let body = (true, Claims(Some(encode::issued(&info))));
    let reply = Message::method_return(&call.header()).build(&body).unwrap();
    assert_eq!(*told(&info).unwrap(), *reply.body().data().bytes());
    assert_eq!(reply.body().signature().to_string_no_parens(), SIGNATURE);
}
