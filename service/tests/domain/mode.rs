//! What `mode` and `expect-version` allow.

use tokenvault_core::Error;
use tokenvault_core::token::{PutMode, PutOptions, TokenInfo};

use crate::fixture::*;

fn put(user: &User, name: &str, mode: PutMode, expect_version: Option<u64>) -> Result<TokenInfo, Error> {
    user.put_with(name, b"new", PutOptions { mode, expect_version, ..PutOptions::default() })
}

#[test]
fn upsert_makes_a_token_or_a_version() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(put(&alice, "t", PutMode::Upsert, None).unwrap().version, 1);
    assert_eq!(put(&alice, "t", PutMode::Upsert, None).unwrap().version, 2);
}

#[test]
fn create_makes_a_token_only_where_there_is_none() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(put(&alice, "t", PutMode::Create, None).unwrap().version, 1);
    assert_eq!(refused(put(&alice, "t", PutMode::Create, None)), Refused::Exists);
    assert_eq!(alice.version_numbers("t"), [1]);
    assert_eq!(put(&home.bob(), "t", PutMode::Create, None).unwrap().version, 1, "bob's names are his own");
}

#[test]
fn replace_makes_a_version_only_where_there_is_a_token() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(refused(put(&alice, "t", PutMode::Replace, None)), Refused::NotFound);
    alice.put("t", b"1").unwrap();
    assert_eq!(put(&alice, "t", PutMode::Replace, None).unwrap().version, 2);
}

#[test]
fn the_expected_version_is_the_current_one_or_nothing_is_written() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"1").unwrap();
    alice.put("t", b"2").unwrap();
    for expected in [0, 1, 3, u64::MAX] {
        match put(&alice, "t", PutMode::Upsert, Some(expected)) {
            Err(Error::Conflict { current: 2, expected: told }) => assert_eq!(told, expected),
            other => panic!("{:?}", answer(other)),
        }
    }
    assert_eq!(alice.get("t").unwrap(), b"2");
    assert_eq!(put(&alice, "t", PutMode::Upsert, Some(2)).unwrap().version, 3);
}

#[test]
fn expecting_version_0_means_that_there_must_be_no_token() {
    let home = Home::new();
    let alice = home.alice();
    assert_eq!(refused(put(&alice, "t", PutMode::Upsert, Some(1))), Refused::Conflict);
    assert_eq!(put(&alice, "t", PutMode::Upsert, Some(0)).unwrap().version, 1);
    assert_eq!(refused(put(&alice, "t", PutMode::Upsert, Some(0))), Refused::Conflict);
    alice.delete("t").unwrap();
    assert_eq!(put(&alice, "t", PutMode::Create, Some(0)).unwrap().version, 1);
}

#[test]
fn of_many_writers_who_expect_the_same_version_one_wins() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| answer(put(&home.alice(), "t", PutMode::Upsert, Some(1)).map(|info| info.version))))
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).filter(Result::is_ok).count()
    });
    assert_eq!(won, 1);
    assert_eq!(home.alice().version_numbers("t"), [2, 1]);
}
