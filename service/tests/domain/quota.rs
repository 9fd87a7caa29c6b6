//! Limits on values and quotas of a principal.

use tokenvault_core::Error;
use tokenvault_core::name::Attributes;
use tokenvault_core::token::{Annotation, Expiry, PutOptions};

use crate::fixture::*;

/// The longest value of the smallest size class.
const SMALL: [u8; 60] = [7; 60];

fn limit_of<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::LimitsExceeded { limit, .. }) => limit,
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_value_over_the_limit_is_refused_and_one_at_it_is_not() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", &[1; 65_536]).unwrap();
    assert_eq!(refused(alice.put("t", &[1; 65_537])), Refused::InvalidArgs);
    home.set(|settings| settings.value_bytes = 3);
    alice.put("t", b"123").unwrap();
    assert_eq!(refused(alice.put("t", b"1234")), Refused::InvalidArgs);
    assert_eq!(alice.get_version("t", 1).unwrap().len(), 65_536, "what is there stays");
}

#[test]
fn without_a_limit_of_its_own_a_value_still_has_that_of_the_format() {
    let home = Home::new();
    home.set(|settings| (settings.value_bytes, settings.bytes) = (0, 0));
    let longest = 16 << 20;
    home.alice().put("t", &vec![1; longest]).unwrap();
    assert_eq!(home.alice().get("t").unwrap().len(), longest);
    assert_eq!(refused(home.alice().put("t", &vec![1; longest + 1])), Refused::InvalidArgs);
}

#[test]
fn the_token_after_the_last_allowed_one_is_refused() {
    let home = Home::new();
    let alice = home.alice();
    home.set(|settings| settings.tokens = 2);
    alice.put("a", b"1").unwrap();
    alice.put("b", b"1").unwrap();
    assert_eq!(limit_of(alice.put("c", b"1")), "tokens");
    assert_eq!(refused(alice.describe("c")), Refused::NotFound);
    alice.put("b", b"2").unwrap();
    home.bob().put("c", b"1").unwrap();
    alice.delete("a").unwrap();
    alice.put("c", b"1").unwrap();
    assert_eq!(alice.usage().unwrap(), (2, 2 * TOKEN + 3 * VERSION));
}

#[test]
fn bytes_count_padded_and_with_all_versions() {
    let home = Home::new();
    let alice = home.alice();
    home.set(|settings| settings.bytes = 2 * TOKEN + 3 * VERSION);
    alice.put("t", b"1").unwrap();
    alice.put("t", &SMALL).unwrap();
    alice.put("u", b"1").unwrap();
    assert_eq!(limit_of(alice.put("t", b"1")), "bytes");
    assert_eq!(limit_of(alice.put("v", b"1")), "bytes");
    assert_eq!(limit_of(alice.rollback("t", 1)), "bytes");
    assert_eq!((alice.version_numbers("t"), alice.usage().unwrap()), (vec![2, 1], (2, 2 * TOKEN + 3 * VERSION)));
    alice.delete_version("t", 1).unwrap();
    assert_eq!(limit_of(alice.put("v", b"1")), "bytes", "a token takes more than a version");
    alice.delete("u").unwrap();
    alice.put("v", b"1").unwrap();
}

#[test]
fn a_version_that_displaces_as_much_as_it_adds_is_taken_over_the_quota() {
    let home = Home::new();
    let alice = home.alice();
    let one = PutOptions { keep_versions: Some(1), ..PutOptions::default() };
    alice.put_with("t", &SMALL, one).unwrap();
    home.set(|settings| settings.bytes = 1);
    alice.put("t", b"rotated").unwrap();
    assert_eq!(limit_of(alice.put("t", &[1; 61])), "bytes");
    assert_eq!(alice.get("t").unwrap(), b"rotated");
}

#[test]
fn zero_switches_a_quota_off() {
    let home = Home::new();
    let alice = home.alice();
    home.set(|settings| (settings.tokens, settings.bytes) = (1, TOKEN + VERSION));
    alice.put("a", b"1").unwrap();
    assert_eq!(refused(alice.put("b", b"1")), Refused::LimitsExceeded);
    home.set(|settings| (settings.tokens, settings.bytes) = (0, 0));
    alice.put("b", b"1").unwrap();
    assert_eq!(home.vault().usage(&alice.caller).unwrap(), [2, 2 * (TOKEN + VERSION), 0, 0]);
}

#[test]
fn what_has_expired_counts_until_its_name_is_taken() {
    let home = Home::new();
    let alice = home.alice();
    home.set(|settings| settings.tokens = 1);
    alice.put_with("t", b"1", PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() }).unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(limit_of(alice.put("u", b"1")), "tokens");
    alice.put("t", b"2").unwrap();
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
}

#[test]
fn metadata_counts_and_what_makes_it_grow_is_refused_over_the_quota() {
    let home = Home::new();
    let alice = home.alice();
    let long = attributes(&[("a", &"v".repeat(1_000)), ("b", &"v".repeat(1_000))]);
    let with = |attributes: &Attributes| Annotation { attributes: Some(attributes.clone()), ..Annotation::default() };
    alice.put("t", b"1").unwrap();
    home.set(|settings| settings.bytes = 2_000);
    assert_eq!(limit_of(alice.annotate("t", with(&long))), "bytes");
    let options = PutOptions { attributes: Some(long.clone()), ..PutOptions::default() };
    assert_eq!(limit_of(alice.put_with("u", b"1", options.clone())), "bytes");
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
    home.set(|settings| settings.bytes = 4_000);
    alice.annotate("t", with(&long)).unwrap();
    let (_, bytes) = alice.usage().unwrap();
    assert!((2_500..3_000).contains(&bytes), "{bytes}");
    home.set(|settings| settings.bytes = 1);
    assert_eq!(limit_of(alice.rename("t", &"n".repeat(200))), "bytes");
    alice.rename("t", "u").unwrap();
    alice.annotate("u", with(&Attributes::default())).unwrap();
    assert_eq!(alice.usage().unwrap(), (1, TOKEN + VERSION));
    home.check_counters();
    alice.delete("u").unwrap();
    assert_eq!(alice.usage().unwrap(), (0, 0));
}

#[test]
fn a_token_that_an_earlier_build_counted_for_less_can_be_deleted() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.tamper(|file| file.run("UPDATE principal SET bytes = 64"));
    home.alice().delete("t").unwrap();
    assert_eq!(home.alice().usage().unwrap(), (0, 0));
}
