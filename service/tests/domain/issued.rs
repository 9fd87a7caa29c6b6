//! Issued tokens and codes: who has them validated, when they end, and that no guess is free.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;

use tokenvault_core::issued::{
    Audience, IssueRequest, IssuedFilter, Named, NewKind, Presented, TOKEN_CHARS, ValidateRequest,
};
use tokenvault_core::name::Hint;
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;

use crate::fixture::*;

const CAROL: u32 = 1003;
const STAFF: u32 = 500;

fn for_bob() -> IssueRequest {
    IssueRequest { audience: Audience::User(Named { number: BOB, name: "bob".into() }), ..plain() }
}

fn for_staff() -> IssueRequest {
    IssueRequest { audience: Audience::Group(Named { number: STAFF, name: "staff".into() }), ..plain() }
}

/// Another code of as many digits.
fn wrong(digits: &str) -> String {
    digits.chars().map(|digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) }).collect()
}

#[test]
fn a_token_is_valid_for_its_issuer_and_root_and_says_what_was_issued() {
    let home = Home::new();
    let request = IssueRequest {
        subject: Hint::parse("subject", "build 7").unwrap(),
        audience: Audience::Text("https://example.org".into()),
        scopes: scopes(&["read", "write"]),
        claims: attributes(&[("team", "one")]),
        ttl: DAY,
        uses: Some(3),
        ..plain()
    };
    let issued = home.alice().issue(request).unwrap();
    assert_eq!(issued.token.len(), TOKEN_CHARS);
    assert_eq!(issued.expires, START.checked_add_usec(DAY).unwrap());
    for user in [home.alice(), home.root()] {
        let info = user.validate_for(&issued.token, &Asked::default()).unwrap().unwrap();
        assert_eq!((info.id, info.issuer), (issued.id.to_string(), ALICE));
        assert_eq!((info.subject.as_str(), info.audience.as_str()), ("build 7", "https://example.org"));
        assert_eq!(
            (info.scopes, info.uses_left, info.attempts_left),
            (vec!["read".into(), "write".into()], Some(3), None)
        );
        assert_eq!((info.claims["team"].as_str(), info.issued, info.expires), ("one", START, issued.expires));
    }
    assert!(!home.bob().is_valid(&issued.token), "it is not his");
}

#[test]
fn what_is_asked_for_must_be_granted() {
    let home = Home::new();
    let alice = home.alice();
    let audience = Audience::Text("web".into());
    let token = alice.issue(IssueRequest { audience, scopes: scopes(&["read", "write"]), ..plain() }).unwrap().token;
    let valid = |asked: Asked<'_>| alice.validate_for(&token, &asked).unwrap().is_some();
    assert!(valid(Asked { audience: Some("web"), scopes: scopes(&["write"]), ..Asked::default() }));
    assert!(!valid(Asked { audience: Some("we"), ..Asked::default() }));
    assert!(!valid(Asked { audience: Some(""), ..Asked::default() }));
    assert!(!valid(Asked { scopes: scopes(&["read", "admin"]), ..Asked::default() }));
    assert!(
        !valid(Asked { audience: Some("ops"), consume: true, ..Asked::default() }),
        "and nothing is used up by that"
    );
    assert!(valid(Asked::default()));
    let other = alice.issue(plain()).unwrap();
    let asked =
        |id: &str| alice.validate_for(&other.token, &Asked { id: Some(id), ..Asked::default() }).unwrap().is_some();
    assert!(asked(&other.id.to_string()) && !asked(&"0".repeat(22)) && !asked("nonsense"));
}

#[test]
fn a_user_it_is_for_has_it_validated_as_long_as_the_uid_is_that_users() {
    let home = Home::new();
    let token = home.alice().issue(for_bob()).unwrap().token;
    assert!(home.bob().is_valid(&token));
    assert!(!User::new(home.vault(), CAROL).is_valid(&token));
    assert!(!User::new(home.vault(), BOB).renamed("robert").is_valid(&token), "another user by now");
    assert_eq!(home.bob().validate_for(&token, &Asked::default()).unwrap().unwrap().audience, "user:bob");
}

#[test]
fn members_of_a_group_it_is_for_have_it_validated_as_long_as_name_and_number_belong_together() {
    let home = Home::new();
    let token = home.alice().issue(for_staff()).unwrap().token;
    let member = || User::new(home.vault(), CAROL).in_group(STAFF);
    let asked = |gid| Asked { gid, ..Asked::default() };
    let valid = |user: &User, gid| user.validate_for(&token, &asked(gid)).unwrap().is_some();
    assert!(valid(&member(), Some(STAFF)));
    assert!(!valid(&member(), Some(STAFF + 1)), "the group was made anew with another number");
    assert!(!valid(&member(), None), "the number belongs to another group now");
    assert!(!valid(&home.bob(), Some(STAFF)));
    assert!(home.alice().is_valid(&token), "its issuer need not be a member");
    let counted = Asked { consume: true, ..asked(Some(STAFF)) };
    assert!(member().validate_for(&token, &counted).unwrap().is_some());
    assert!(!valid(&member(), Some(STAFF)), "it was used up");
}

#[test]
fn whatever_is_not_valid_is_one_answer() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    let token = alice.token();
    let mut other = alice.token();
    other.replace_range(..26, &token[..26]);
    for text in ["", "tvt_", &token[..75], &format!("{token}0"), &other, &token.to_uppercase(), "123456", "é"] {
        assert!(!alice.is_valid(text), "{text}");
    }
    assert!(!bob.is_valid(&token));
    let elsewhere = Home::new();
    assert!(!alice.is_valid(&elsewhere.alice().token()), "of another vault");
    let expired = alice.issue(IssueRequest { ttl: SECOND, ..plain() }).unwrap();
    assert!(alice.is_valid(&expired.token));
    home.clock.advance_usec(SECOND);
    assert!(!alice.is_valid(&expired.token) && !alice.consume(&expired.token));
    assert_eq!(refused(alice.revoke(&expired.id.to_string())), Refused::NotFound);
    assert!(alice.is_valid(&token));
}

#[test]
fn a_revoked_token_is_not_valid_from_then_on() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    let issued = alice.issue(for_bob()).unwrap();
    let id = issued.id.to_string();
    for other in [&bob, &home.root()] {
        other.issue(plain()).unwrap();
    }
    assert!(alice.is_valid(&issued.token) && bob.is_valid(&issued.token), "and it lies opened now");
    assert_eq!(refused(bob.revoke(&id)), Refused::NotFound, "what others issued is not there");
    assert_eq!(refused(home.root().revoke(&id)), Refused::NotFound);
    alice.revoke(&id).unwrap();
    assert!(!alice.is_valid(&issued.token) && !bob.is_valid(&issued.token) && !alice.is_valid_hot(&issued.token));
    for unknown in [&id, "nonsense", "", &"0".repeat(22), "000000"] {
        assert_eq!(refused(alice.revoke(unknown)), Refused::NotFound, "{unknown}");
    }
    home.check_counters();
}

#[test]
fn a_consume_takes_one_use_and_the_last_one_ends_it() {
    let home = Home::new();
    let alice = home.alice();
    let once = alice.token();
    assert!(alice.is_valid(&once) && alice.is_valid(&once), "looking takes nothing");
    assert!(alice.consume(&once));
    assert!(!alice.consume(&once) && !alice.is_valid(&once), "a replay");
    let thrice = alice.issue(IssueRequest { uses: Some(3), ..plain() }).unwrap().token;
    let consume = Asked { consume: true, ..Asked::default() };
    for left in [2, 1, 0] {
        assert_eq!(alice.validate_for(&thrice, &consume).unwrap().unwrap().uses_left, Some(left));
    }
    assert!(!alice.consume(&thrice));
    home.check_counters();
}

#[test]
fn of_many_who_want_the_last_use_one_gets_it() {
    let home = Home::new();
    for _ in 0..50 {
        let token = home.alice().token();
        let (sender, won) = channel();
        for _ in 0..64 {
            let presented = Presented::parse(&token, None);
            let request = ValidateRequest { presented, audience: None, scopes: scopes(&[]), consume: true };
            let sender = sender.clone();
            let reply = Box::new(move |counted: Result<tokenvault_core::issued::Counted, _>| {
                sender.send(counted.map(|counted| (counted.valid.is_some(), counted.written))).unwrap();
            });
            home.vault().validate_counted(&home.alice().caller, request, None, reply);
        }
        drop(sender);
        let answers: Vec<(bool, bool)> = won.iter().map(Result::unwrap).collect();
        assert_eq!(answers.len(), 64);
        assert_eq!(answers.iter().filter(|(valid, _)| *valid).count(), 1);
        assert!(answers.iter().all(|(valid, written)| valid == written), "who comes late writes nothing");
    }
}

#[test]
fn a_code_has_its_digits_and_is_nothing_without_its_id() {
    let home = Home::new();
    let alice = home.alice();
    let issued = alice.issue(code()).unwrap();
    let id = issued.id.to_string();
    assert!(issued.token.len() == 6 && issued.token.bytes().all(|digit| digit.is_ascii_digit()));
    assert!(alice.is_code(&issued.token, &id) && home.root().is_code(&issued.token, &id));
    assert!(!alice.is_valid(&issued.token), "without an id");
    assert!(!alice.is_code(&issued.token, &"0".repeat(22)));
    assert!(!home.bob().is_code(&issued.token, &id));
    let long = alice.issue(IssueRequest { kind: NewKind::code(Some(32), Some(1)).unwrap(), ..plain() }).unwrap();
    assert_eq!(long.token.len(), 32);
    for (length, attempts) in [(Some(3), None), (Some(33), None), (None, Some(0)), (None, Some(101))] {
        assert!(NewKind::code(length, attempts).is_err());
    }
}

#[test]
fn codes_differ_in_every_digit() {
    let home = Home::new();
    let mut seen = vec![BTreeSet::new(); 6];
    for _ in 0..200 {
        let issued = home.alice().issue(code()).unwrap();
        for (place, digit) in issued.token.bytes().enumerate() {
            seen[place].insert(digit);
        }
    }
    assert!(seen.iter().all(|digits| digits.len() == 10), "{seen:?}");
}

#[test]
fn wrong_codes_are_counted_and_after_the_last_the_right_one_is_dead_too() {
    let home = Home::new();
    let alice = home.alice();
    let issued = alice.issue(code()).unwrap();
    let (digits, id) = (issued.token.to_string(), issued.id.to_string());
    for _ in 0..4 {
        assert!(!alice.is_code(&wrong(&digits), &id));
    }
    assert_eq!(alice.issued()[0].attempts_left, Some(1));
    assert!(alice.is_code(&digits, &id), "the right one is no attempt");
    assert!(!alice.is_code(&digits[..5], &id), "one digit too few");
    assert!(!alice.is_code(&digits, &id));
    assert!(alice.issued().is_empty());
    home.check_counters();
}

#[test]
fn who_may_not_have_a_code_validated_does_not_use_up_its_attempts() {
    let home = Home::new();
    let issued = home.alice().issue(code()).unwrap();
    let (digits, id) = (issued.token.to_string(), issued.id.to_string());
    for _ in 0..10 {
        assert!(!home.bob().is_code(&wrong(&digits), &id));
    }
    assert!(home.alice().is_code(&digits, &id));
}

#[test]
fn guesses_made_at_the_same_time_are_no_more_than_those_made_one_after_the_other() {
    let home = Home::new();
    let alice = home.alice();
    let issued = alice.issue(code()).unwrap();
    let (digits, id) = (issued.token.to_string(), issued.id.to_string());
    let (sender, answers) = channel();
    for guess in 0..100 {
        let text = if guess == 50 { digits.clone() } else { wrong(&digits) };
        let presented = Presented::parse(&text, Some(&id));
        let request = ValidateRequest { presented, audience: None, scopes: scopes(&[]), consume: false };
        let sender = sender.clone();
        let reply = Box::new(move |counted: Result<tokenvault_core::issued::Counted, _>| {
            sender.send(counted.map(|counted| (counted.valid.is_some(), counted.written))).unwrap();
        });
        home.vault().validate_counted(&alice.caller, request, None, reply);
    }
    drop(sender);
    let answers: Vec<(bool, bool)> = answers.iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|(_, written)| *written).count(), 5, "five tries, and no more");
    assert!(answers.iter().all(|(valid, _)| !valid), "the right one came after them");
}

#[test]
fn only_developers_issue_and_everybody_validates() {
    let home = Home::new();
    let token = home.alice().issue(for_bob()).unwrap().token;
    home.set(|settings| settings.default_role = Role::Consumer);
    assert_eq!(refused(home.bob().issue(plain()).map(drop)), Refused::AccessDenied);
    assert!(home.bob().is_valid(&token));
    assert_eq!(home.bob().issued(), []);
    assert_eq!(home.bob().revoke_all(&IssuedFilter::default()).unwrap(), 0);
}

#[test]
fn impossible_lives_are_refused() {
    let home = Home::new();
    for ttl in [0, u64::MAX, i64::MAX as u64] {
        assert_eq!(refused(home.alice().issue(IssueRequest { ttl, ..plain() }).map(drop)), Refused::InvalidArgs);
    }
}

#[test]
fn what_is_issued_counts_and_what_has_expired_makes_room() {
    let home = Home::new();
    home.set(|settings| settings.issued = 3);
    let alice = home.alice();
    for ttl in [SECOND, DAY, 2 * DAY] {
        alice.issue(IssueRequest { ttl, ..plain() }).unwrap();
    }
    alice.put("t", b"v").unwrap();
    assert_eq!(refused(alice.issue(plain()).map(drop)), Refused::LimitsExceeded);
    assert_eq!(refused(alice.offer("t").map(drop)), Refused::LimitsExceeded, "offers count as well");
    assert_eq!(alice.issued().len(), 3);
    assert!(home.bob().issue(plain()).is_ok(), "others have their own");
    home.clock.advance_usec(SECOND);
    let last = alice.issue(plain()).unwrap();
    assert_eq!(refused(alice.issue(plain()).map(drop)), Refused::LimitsExceeded);
    alice.revoke(&last.id.to_string()).unwrap();
    alice.issue(plain()).unwrap();
    home.set(|settings| settings.bytes = 1);
    alice.revoke_all(&IssuedFilter::default()).unwrap();
    assert_eq!(refused(alice.issue(plain()).map(drop)), Refused::LimitsExceeded, "it takes of the bytes too");
    home.check_counters();
}

#[test]
fn what_is_used_up_makes_room_wherever_it_stands() {
    const MANY: u64 = 200;
    let home = Home::new();
    home.set(|settings| settings.issued = MANY);
    let alice = home.alice();
    let once = IssueRequest { uses: Some(1), ..plain() };
    let tokens: Vec<_> = (0..MANY).map(|_| alice.issue(once.clone()).unwrap().token).collect();
    assert_eq!(refused(alice.issue(plain()).map(drop)), Refused::LimitsExceeded);
    // It stands behind all that are looked at first.
    let end = alice.validate_for(&tokens[199], &Asked { consume: true, ..Asked::default() }).unwrap().unwrap().expires;
    assert!(end > START, "whoever used it up is told when it would have ended");
    alice.issue(plain()).unwrap();
    home.check_counters();
}

#[test]
fn issued_tokens_outlive_the_daemon_and_wait_for_an_open_vault() {
    let mut home = Home::new();
    let (token, digits) = (home.alice().token(), home.alice().issue(code()).unwrap());
    home.restart();
    assert!(home.alice().is_valid(&token) && home.alice().is_code(&digits.token, &digits.id.to_string()));
    home.vault().seal(&home.root().caller).unwrap();
    assert_eq!(refused(home.alice().validate_for(&token, &Asked::default())), Refused::Sealed);
    assert_eq!(refused(home.alice().issue(plain()).map(drop)), Refused::Sealed);
    assert!(!home.alice().is_valid_hot(&token));
    assert_eq!(refused(home.alice().revoke(&digits.id.to_string())), Refused::Sealed);
}

#[test]
fn a_token_that_was_validated_lies_opened_until_something_becomes_of_it() {
    let home = Home::new();
    let (alice, bob) = (home.alice(), home.bob());
    assert!(bob.is_valid(&bob.token()));
    let issued = alice.issue(IssueRequest { uses: Some(2), ..for_bob() }).unwrap();
    assert!(!alice.is_valid_hot(&issued.token));
    assert!(alice.is_valid(&issued.token) && alice.is_valid_hot(&issued.token));
    assert!(bob.is_valid_hot(&issued.token), "whoever may have it validated finds it");
    let carol = User::new(home.vault(), CAROL);
    assert!(carol.is_valid(&carol.token()) && !carol.is_valid_hot(&issued.token) && !carol.is_valid(&issued.token));
    assert!(alice.consume(&issued.token) && !alice.is_valid_hot(&issued.token), "it was changed");
    assert_eq!(alice.validate_for(&issued.token, &Asked::default()).unwrap().unwrap().uses_left, Some(1));
    home.clock.advance_usec(3_600 * SECOND);
    assert!(!alice.is_valid_hot(&issued.token));
}

#[test]
fn issuing_leaves_what_lies_opened_of_the_issuers_tokens() {
    let home = Home::new();
    let alice = home.alice();
    alice.put("t", b"v").unwrap();
    alice.get("t").unwrap();
    let token = alice.token();
    alice.consume(&token);
    let code = alice.offer("t").unwrap().code;
    assert!(alice.get_hot("t").is_some());
    home.bob().redeem(&code).unwrap();
    assert!(alice.of(Owner::Own).get_hot("t").is_some());
}
