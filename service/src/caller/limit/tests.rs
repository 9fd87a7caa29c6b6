//! Each has its own, and nobody takes what is the others'.

use super::*;

fn limiter(set: impl FnOnce(&mut Limits)) -> Limiter {
    let mut limits = Limits::default();
    set(&mut limits);
    Limiter::new(limits)
}

fn limit_of<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
    match result.unwrap_err() {
        Error::LimitsExceeded { limit, .. } => limit,
        other => panic!("{other}"),
    }
}

#[test]
fn calls_in_flight_are_counted_per_uid_and_given_back() {
    let limiter = limiter(|limits| limits.in_flight = 2);
    let first = limiter.enter(7).unwrap();
    let _second = limiter.enter(7).unwrap();
    assert_eq!(limit_of(limiter.enter(7)), "in-flight");
    assert!(limiter.enter(8).is_ok(), "another uid has its own");
    drop(first);
    assert!(limiter.enter(7).is_ok());
}

#[test]
fn all_calls_together_have_a_limit_too() {
    let limiter = limiter(|limits| limits.in_flight_total = 2);
    let _one = limiter.enter(1).unwrap();
    let two = limiter.enter(2).unwrap();
    assert_eq!(limit_of(limiter.enter(3)), "in-flight-total");
    drop(two);
    assert!(limiter.enter(3).is_ok());
}

#[test]
fn callers_who_are_not_known_yet_take_nothing_from_those_who_are() {
    let limiter = limiter(|limits| (limits.in_flight, limits.in_flight_total) = (256, 64));
    let unknown: Vec<_> = std::iter::from_fn(|| limiter.enter_unknown().ok()).collect();
    assert_eq!(limit_of(limiter.enter_unknown()), "in-flight-unknown");
    let of_uid = |uid| std::iter::from_fn(|| limiter.enter_unnamed(uid).ok()).collect::<Vec<_>>();
    let unnamed: Vec<_> = (100_000..100_016).map(of_uid).collect();
    assert_eq!(unnamed.iter().map(Vec::len).sum::<usize>(), 256);
    assert_eq!(unnamed[0].len(), 32);
    assert_eq!(limit_of(limiter.enter_unnamed(100_000)), "in-flight");
    assert_eq!(limit_of(limiter.enter_unnamed(100_017)), "in-flight-unknown");
    let users: Vec<_> = std::iter::from_fn(|| limiter.enter(7).ok()).collect();
    assert_eq!(users.len(), 48);
    drop((unknown, unnamed, users));
    let state = limiter.state();
    assert_eq!((state.unknown, state.unnamed, state.users), (0, 0, 0));
}

#[test]
fn a_call_counts_with_the_others_when_its_uid_has_a_name() {
    let limiter = limiter(|limits| limits.in_flight_total = 2);
    let mut call = limiter.enter_unnamed(7).unwrap();
    call.named().unwrap();
    let _other = limiter.enter(8).unwrap();
    let mut late = limiter.enter_unnamed(9).unwrap();
    assert_eq!(limit_of(late.named()), "in-flight-total");
    call.named().unwrap();
    drop((call, late));
    let state = limiter.state();
    assert_eq!((state.unnamed, state.users, state.uids[&7].in_flight), (0, 1, 0));
}

#[test]
fn the_last_calls_are_roots() {
    let limiter = limiter(|limits| limits.in_flight_total = 100);
    let users: Vec<_> = std::iter::from_fn(|| limiter.enter(7).ok()).collect();
    assert_eq!(users.len(), 84);
    let roots: Vec<_> = std::iter::from_fn(|| limiter.enter(0).ok()).collect();
    assert_eq!(roots.len(), 16);
}

#[test]
fn a_uid_with_a_spent_bucket_is_not_forgotten_and_the_others_once_a_second() {
    let limiter = limiter(|limits| limits.misses_per_second = 1);
    drop(limiter.enter(8).unwrap());
    while limiter.pay_miss(7).is_ok() {}
    let mut state = limiter.state();
    let now = Instant::now();
    let age = |bucket: &mut Bucket| bucket.since = bucket.since.checked_sub(FULL_AFTER).unwrap();
    for of_uid in state.uids.values_mut() {
        age(&mut of_uid.reads);
        age(&mut of_uid.writes);
    }
    age(&mut state.of(8).misses);
    state.forget_idle(now);
    assert!(state.uids.contains_key(&7) && !state.uids.contains_key(&8));
    age(&mut state.of(7).misses);
    // It takes a look at every uid.
    state.forget_idle(now + FORGET_AFTER / 2);
    assert!(state.uids.contains_key(&7));
    state.forget_idle(now + FORGET_AFTER);
    assert!(state.uids.is_empty());
}

#[test]
fn writes_and_misses_have_bursts_and_zero_switches_off() {
    let limiter = limiter(|limits| {
        limits.writes_per_second = 1;
        limits.misses_per_second = 1;
        limits.reads_per_second = 0;
    });
    for _ in 0..10 {
        limiter.pay(7, Kind::Write).unwrap();
    }
    assert_eq!(limit_of(limiter.pay(7, Kind::Write)), "writes-per-second");
    limiter.refund_write(7);
    limiter.pay(7, Kind::Write).unwrap();
    assert_eq!(limit_of(limiter.pay(7, Kind::Write)), "writes-per-second");
    assert!(limiter.pay(8, Kind::Write).is_ok());
    limiter.owe_writes(8, 20);
    assert_eq!(limit_of(limiter.pay(8, Kind::Write)), "writes-per-second", "what is owed comes first");
    for _ in 0..5 {
        limiter.pay_miss(7).unwrap();
    }
    assert_eq!(limit_of(limiter.pay_miss(7)), "misses-per-second");
    for _ in 0..100_000 {
        limiter.pay(7, Kind::Read).unwrap();
    }
}
