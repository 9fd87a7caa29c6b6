//! Sharing with groups: whoever is in many of them, and a look that ends.

use tokenvault_core::caller::GROUPS_MAX;
use tokenvault_core::owner::Owner;
use tokenvault_core::token::{PutOptions, ShareRequest};

use crate::fixture::*;

/// Bob in so many groups, the one that something is shared with the last of them.
fn bob_in(home: &Home, groups: usize) -> User {
    let mut user = home.bob().of(Owner::Uid(ALICE));
    user.caller.gids = (100_000..).take(groups - 1).chain([OPS]).collect();
    user
}

fn ops() -> [tokenvault_core::issued::GroupNow; 1] {
    [group_now("ops", Some(OPS))]
}

#[test]
fn whoever_is_in_more_groups_than_are_looked_for_is_told_which_limit_that_is() {
    let home = Home::new();
    home.alice().put("t", b"of alice").unwrap();
    home.alice().share("t", "group:ops").unwrap();
    let most = bob_in(&home, GROUPS_MAX);
    assert_eq!(most.get_shared_looking("t", Some(OPS)).unwrap(), b"of alice");
    let too_many = bob_in(&home, GROUPS_MAX + 1);
    for name in ["t", "missing"] {
        let told = too_many.get_shared(name).unwrap_err().to_string();
        assert!(told.contains("'groups'") && told.contains("1024"), "{told}");
        assert_eq!(refused(too_many.describe_shared(name)), Refused::LimitsExceeded);
        assert_eq!(refused(too_many.is_refused(name)), Refused::LimitsExceeded);
    }
    assert_eq!(refused(too_many.shared_page(&too_many.everything(), &ops())), Refused::LimitsExceeded);
    assert!(home.vault().listen(&too_many.caller).is_err() && home.vault().listen(&most.caller).is_ok());
    too_many.of(Owner::Own).put("own", b"v").unwrap();
}

#[test]
fn a_list_is_the_same_for_who_is_in_many_groups() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        home.alice().put(name, b"v").unwrap();
        home.alice().share(name, "uid:7001").unwrap();
    }
    home.alice().share("a", "group:ops").unwrap();
    home.alice().share_to_write("b", "group:ops").unwrap();
    home.alice().share("b", "user:bob").unwrap();
    let listed = |user: User| {
        let page = user.shared_page(&user.everything(), &ops()).unwrap();
        page.tokens.into_iter().map(|token| (token.name, token.grant.unwrap().permission.as_str())).collect::<Vec<_>>()
    };
    let few = listed(bob_in(&home, 2));
    assert_eq!(few, [("b".to_owned(), "write"), ("a".to_owned(), "read")], "as a user first");
    assert_eq!(listed(bob_in(&home, 200)), few);
}

#[test]
fn a_member_puts_where_its_group_was_looked_up() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let request = ShareRequest { uses: Some(1), ..home.alice().share_request("t", "group:ops") };
    let permission = tokenvault_core::token::Permission::Write;
    home.alice().share_as(ShareRequest { permission, ..request }).unwrap();
    let member = bob_in(&home, 3);
    let options = |gid| PutOptions { groups: vec![group_now("ops", gid)], ..PutOptions::default() };
    for not_the_group in [None, Some(OPS + 1)] {
        assert_eq!(refused(member.put_with("t", b"2", options(not_the_group))), Refused::NotFound);
    }
    assert_eq!(refused(member.put("t", b"2")), Refused::NotFound, "nobody has looked it up");
    assert_eq!(member.put_with("t", b"2", options(Some(OPS))).unwrap().version, 2);
    assert_eq!(refused(member.put_with("t", b"3", options(Some(OPS)))), Refused::NotFound, "that was the only use");
}
