//! Lists of what was issued, and revoking all that a filter means.

use tokenvault_core::issued::{Audience, IssueRequest, IssuedFilter, IssuedInfo, Kind};
use tokenvault_core::name::Hint;

use crate::fixture::*;

fn about(subject: &str) -> IssueRequest {
    IssueRequest { subject: Hint::parse("subject", subject).unwrap(), ..plain() }
}

fn subjects(issued: &[IssuedInfo]) -> Vec<&str> {
    issued.iter().map(|info| info.subject.as_str()).collect()
}

fn only_about(subject: &str) -> IssuedFilter {
    IssuedFilter { subject: Some(subject.into()), ..IssuedFilter::default() }
}

#[test]
fn ones_own_are_listed_by_the_days_they_expire_on() {
    let home = Home::new();
    let alice = home.alice();
    for (subject, ttl) in [("third", 3 * DAY), ("first", DAY), ("second", 2 * DAY)] {
        alice.issue(IssueRequest { ttl, ..about(subject) }).unwrap();
    }
    home.bob().issue(about("of bob")).unwrap();
    assert_eq!(subjects(&alice.issued()), ["first", "second", "third"]);
    assert_eq!(subjects(&home.bob().issued()), ["of bob"]);
    assert_eq!(subjects(&home.root().issued()), [""; 0]);
    home.clock.advance_usec(DAY);
    assert_eq!(subjects(&alice.issued()), ["second", "third"]);
}

#[test]
fn pages_join_to_the_whole_and_belong_to_their_list() {
    let home = Home::new();
    let alice = home.alice();
    for number in 0..600 {
        alice.issue(IssueRequest { ttl: DAY + (number * 7 % 600) * DAY, ..about(&format!("{number}")) }).unwrap();
    }
    alice.put("t", b"v").unwrap();
    let whole = alice.issued_page(IssuedFilter::default(), 1_000, "").unwrap();
    assert_eq!((whole.issued.len(), whole.next.as_str()), (600, ""));
    let (mut joined, mut after) = (Vec::new(), String::new());
    loop {
        let page = alice.issued_page(IssuedFilter::default(), 77, &after).unwrap();
        joined.extend(page.issued);
        after = page.next;
        if after.is_empty() {
            break;
        }
    }
    assert_eq!(joined, whole.issued);
    let mut of_tokens = alice.everything();
    of_tokens.limit = 1;
    alice.put("u", b"v").unwrap();
    let foreign = alice.page(&of_tokens).unwrap().next;
    for after in [foreign.as_str(), "zz", "0", &"00".repeat(97)] {
        assert_eq!(refused(alice.issued_page(IssuedFilter::default(), 1, after)), Refused::InvalidArgs, "{after}");
    }
}

#[test]
fn a_filter_means_what_has_all_of_it() {
    let home = Home::new();
    let alice = home.alice();
    let audience = Audience::Text("web".into());
    alice.issue(IssueRequest { audience, scopes: scopes(&["read", "write"]), ..about("a") }).unwrap();
    alice.issue(IssueRequest { scopes: scopes(&["read"]), ..about("b") }).unwrap();
    alice.issue(IssueRequest { subject: Hint::parse("subject", "c").unwrap(), ..code() }).unwrap();
    alice.put("t", b"v").unwrap();
    alice.offer("t").unwrap();
    let found = |filter: IssuedFilter| {
        let mut found = alice.issued_page(filter, 10, "").unwrap().issued;
        found.sort_by(|one, other| one.subject.cmp(&other.subject));
        found.into_iter().map(|info| info.subject).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(IssuedFilter::default()), "a b c t");
    assert_eq!(found(only_about("b")), "b");
    assert_eq!(found(IssuedFilter { audience: Some("web".into()), ..IssuedFilter::default() }), "a");
    assert_eq!(found(IssuedFilter { audience: Some(String::new()), ..only_about("b") }), "b");
    assert_eq!(found(IssuedFilter { scopes: scopes(&["read"]), ..IssuedFilter::default() }), "a b");
    for (kind, expected) in [(Kind::Token, "a b"), (Kind::Code, "c"), (Kind::Offer, "t")] {
        assert_eq!(found(IssuedFilter { kind: Some(kind), ..IssuedFilter::default() }), expected);
    }
    alice.rename("t", "u").unwrap();
    let offers = IssuedFilter { kind: Some(Kind::Offer), ..IssuedFilter::default() };
    assert_eq!(found(offers), "u", "an offer is told by the name its token has now");
}

#[test]
fn all_that_a_filter_means_is_revoked_and_nothing_else() {
    let home = Home::new();
    let alice = home.alice();
    let tokens: Vec<String> = (0..700)
        .map(|number| alice.issue(about(if number % 2 == 0 { "even" } else { "odd" })).unwrap().token.to_string())
        .collect();
    let of_bob = home.bob().issue(about("even")).unwrap();
    assert!(alice.is_valid(&tokens[0]), "and it lies opened");
    assert_eq!(alice.revoke_all(&only_about("even")).unwrap(), 350);
    assert!(!alice.is_valid(&tokens[0]) && alice.is_valid(&tokens[1]) && home.bob().is_valid(&of_bob.token));
    assert_eq!(alice.revoke_all(&only_about("even")).unwrap(), 0);
    assert_eq!(alice.revoke_all(&IssuedFilter::default()).unwrap(), 350);
    assert!(alice.issued().is_empty() && home.bob().is_valid(&of_bob.token));
    home.check_counters();
}
