//! Offers: a code gives a value once, to whoever has it, and no guess is free.

use std::sync::mpsc::channel;

use tokenvault_core::Error;
use tokenvault_core::name::Hint;
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;
use tokenvault_core::token::{Expiry, PutOptions, RedeemRequest, Redeemed};

use crate::fixture::*;

/// A code that begins like `code` and ends otherwise.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &code[..code.len() - 1])
}

fn offered() -> (Home, String) {
    let home = Home::new();
    home.alice().put("t", b"value").unwrap();
    let code = home.alice().offer("t").unwrap().code.to_string();
    (home, code)
}

#[test]
fn whoever_has_the_code_gets_the_value_once() {
    let (home, code) = offered();
    assert_eq!(home.bob().redeem(&code.to_lowercase().replace('-', " ")).unwrap(), b"value");
    assert_eq!(refused(home.bob().redeem(&code)), Refused::OfferOver, "who has the right code guesses nothing");
    assert_eq!(refused(home.alice().redeem(&wrong(&code))), Refused::NoOffer);
    home.check_counters();
}

#[test]
fn what_is_no_code_gives_nothing() {
    let (home, code) = offered();
    for text in ["", "nonsense", "0000-0000-0000-0000", &code[..18], &format!("{code}0")] {
        assert_eq!(refused(home.bob().redeem(text)), Refused::NoOffer, "{text}");
    }
    assert_eq!(home.bob().redeem(&code).unwrap(), b"value");
}

#[test]
fn wrong_codes_are_counted_and_after_the_last_the_right_one_gives_nothing() {
    let (home, code) = offered();
    for _ in 0..4 {
        assert_eq!(refused(home.bob().redeem(&wrong(&code))), Refused::NoOffer);
    }
    assert_eq!(home.alice().issued()[0].attempts_left, Some(1));
    assert_eq!(refused(home.bob().redeem(&wrong(&code))), Refused::NoOffer);
    assert_eq!(refused(home.bob().redeem(&code)), Refused::OfferOver);
    let other = home.alice().offer_for("t", SECOND, 1).unwrap().code;
    assert_eq!(refused(home.bob().redeem(&wrong(&other))), Refused::NoOffer);
    assert_eq!(refused(home.bob().redeem(&other)), Refused::OfferOver);
}

#[test]
fn guesses_made_at_the_same_time_are_no_more_and_of_many_right_ones_one_wins() {
    let (home, code) = offered();
    let begin = |code: &str, sender: &std::sync::mpsc::Sender<bool>| {
        let (sender, request) = (sender.clone(), RedeemRequest::new(code, Hint::default(), Hint::default()));
        let reply = Box::new(move |redeemed: Result<Redeemed, Error>| sender.send(redeemed.is_ok()).unwrap());
        home.vault().redeem(&home.bob().caller, request, 5, reply);
    };
    let (sender, answers) = channel();
    for guess in 0..100 {
        begin(&if guess == 50 { code.clone() } else { wrong(&code) }, &sender);
    }
    drop(sender);
    assert!(answers.iter().all(|got| !got), "the right one came after five wrong ones");
    for _ in 0..50 {
        let code = home.alice().offer("t").unwrap().code;
        let (sender, answers) = channel();
        (0..64).for_each(|_| begin(&code, &sender));
        drop(sender);
        assert_eq!(answers.iter().filter(|got| *got).count(), 1);
    }
}

#[test]
fn an_offer_ends_in_time_and_with_its_token_and_follows_a_rename() {
    let (home, code) = offered();
    let alice = home.alice();
    alice.rename("t", "u").unwrap();
    alice.put("u", b"a newer, longer value").unwrap();
    assert_eq!(home.bob().redeem(&code).unwrap(), b"a newer, longer value");
    let late = alice.offer_for("u", SECOND, 5).unwrap().code;
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(home.bob().redeem(&late)), Refused::OfferOver);
    let deleted = alice.offer("u").unwrap().code;
    alice.delete("u").unwrap();
    assert_eq!(refused(home.bob().redeem(&deleted)), Refused::NoOffer);
    alice.put("u", b"another").unwrap();
    assert_eq!(refused(home.bob().redeem(&deleted)), Refused::NoOffer, "and does not come back with its name");
    home.check_counters();
}

#[test]
fn an_offer_of_a_token_that_expired_gives_nothing_also_not_under_its_name_again() {
    let home = Home::new();
    let alice = home.alice();
    alice.put_with("t", b"v", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    let code = alice.offer("t").unwrap().code;
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(home.bob().redeem(&code)), Refused::NoOffer);
    assert_eq!(refused(alice.offer("t").map(drop)), Refused::NotFound);
    alice.put("t", b"new").unwrap();
    assert_eq!(refused(home.bob().redeem(&code)), Refused::NoOffer);
    assert!(alice.issued().is_empty());
    home.check_counters();
}

#[test]
fn only_those_who_may_share_a_token_offer_it() {
    let (home, _) = offered();
    home.root().put("m", b"of the machine").unwrap();
    let machine = home.alice().of(Owner::Machine);
    assert_eq!(refused(machine.offer("m").map(drop)), Refused::AccessDenied);
    assert_eq!(refused(home.bob().of(Owner::Uid(ALICE)).offer("t").map(drop)), Refused::NotFound);
    assert_eq!(refused(home.alice().offer("missing").map(drop)), Refused::NotFound);
    let code = home.root().offer("m").unwrap().code;
    assert_eq!(home.alice().redeem(&code).unwrap(), b"of the machine");
    home.set(|settings| settings.default_role = Role::Consumer);
    let code = home.alice().offer("t").unwrap().code;
    assert_eq!(User::new(home.vault(), 1003).redeem(&code).unwrap(), b"value", "a consumer redeems");
}

#[test]
fn an_offer_is_withdrawn_by_its_id() {
    let (home, code) = offered();
    let id = home.alice().issued()[0].id.clone();
    assert!(code.replace('-', "").starts_with(&id));
    assert_eq!(refused(home.bob().revoke(&id)), Refused::NotFound);
    home.alice().revoke(&id).unwrap();
    assert_eq!(refused(home.bob().redeem(&code)), Refused::NoOffer);
    home.check_counters();
}

#[test]
fn a_value_that_was_changed_meanwhile_leaves_the_offer_as_it_is() {
    let (home, code) = offered();
    home.alice().put("t", b"longer value").unwrap();
    assert!(matches!(home.bob().redeem_sized(&code, "", 5).unwrap(), Redeemed::Resized));
    assert_eq!(home.bob().redeem(&code).unwrap(), b"longer value");
}

#[test]
fn a_required_purpose_is_asked_for_and_a_locked_value_stays_offered() {
    let home = Home::new();
    let options = PutOptions { require_purpose: Some(true), ..PutOptions::default() };
    home.alice().put_with("t", b"v", options).unwrap();
    let code = home.alice().offer("t").unwrap().code;
    assert_eq!(refused(home.bob().redeem(&code)), Refused::AccessDenied);
    assert_eq!(home.bob().redeem_for(&code, "backup").unwrap(), b"v");
}

#[test]
fn impossible_offers_are_refused_and_offers_outlive_the_daemon() {
    let (mut home, code) = offered();
    for ttl in [0, u64::MAX] {
        assert_eq!(refused(home.alice().offer_for("t", ttl, 5).map(drop)), Refused::InvalidArgs);
    }
    home.restart();
    assert_eq!(home.bob().redeem(&code).unwrap(), b"value");
    home.vault().seal(&home.root().caller).unwrap();
    assert_eq!(refused(home.bob().redeem(&code)), Refused::Sealed);
    assert_eq!(refused(home.alice().offer("t").map(drop)), Refused::Sealed);
}
