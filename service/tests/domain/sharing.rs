//! Sharing with users and groups: who gets what, and who does not.

use std::sync::Barrier;
use std::thread;

use tokenvault_core::Timestamp;
use tokenvault_core::audit::Outcome;
use tokenvault_core::name::Note;
use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;
use tokenvault_core::token::{
    Asked, CleanupRequest, Expiry, GetRequest, ListRequest, Permission, PutOptions, ShareRequest,
};
use tokenvault_core::user::{NameNow, Named, UserChanges};

use crate::announcement::Heard;
use crate::fixture::*;

fn at(usec: u64) -> Timestamp {
    START.checked_add_usec(usec).unwrap()
}

/// Alice's token, and nobody else's.
fn home() -> Home {
    let home = Home::new();
    home.alice().put("t", b"of alice").unwrap();
    home
}

/// The same, shared with Bob.
fn shared() -> Home {
    let home = home();
    home.alice().share("t", "user:bob").unwrap();
    home
}

fn bob(home: &Home) -> User {
    home.bob().of(Owner::Uid(ALICE))
}

/// Bob in a group, as his connection says.
fn bob_in_ops(home: &Home) -> User {
    bob(home).in_group(OPS)
}

#[test]
fn whom_a_token_is_shared_with_fetches_and_describes_it() {
    let home = home();
    let note = Note::parse("for the night run").unwrap();
    home.alice().share_as(ShareRequest { note, ..home.alice().share_request("t", "uid:1002") }).unwrap();
    assert_eq!(bob(&home).get_shared("t").unwrap(), b"of alice");
    let told = bob(&home).describe_shared("t").unwrap();
    assert_eq!((told.owner, told.name.as_str(), told.shared, told.size), (ALICE, "t", true, 8));
    let grant = told.grant.unwrap();
    assert_eq!((grant.permission, grant.note.as_str()), (Permission::Read, "for the night run"));
    assert_eq!(home.alice().shares("t").unwrap()[0].note, "for the night run");
    assert!(home.alice().describe("t").unwrap().grant.is_none(), "an owner has it from nobody");
    assert!(bob(&home).get("t").is_err(), "and what lies opened is the owner's");
    home.check_counters();
}

#[test]
fn everybody_else_gets_what_is_told_of_what_is_missing() {
    let home = shared();
    let stranger = User::new(home.vault(), 1003).of(Owner::Uid(ALICE));
    for user in
        [stranger, home.root().of(Owner::Uid(ALICE)), home.bob().of(Owner::Nobody), home.bob().of(Owner::Uid(77))]
    {
        for name in ["t", "missing"] {
            assert_eq!(refused(user.get_shared(name)), Refused::NotFound, "{name}");
            assert_eq!(refused(user.describe_shared(name)), Refused::NotFound, "{name}");
            assert!(user.is_refused(name).is_ok(), "what is refused is told by the operation");
        }
        assert!(user.shared_with_me().is_empty() || user.caller.uid == BOB);
    }
    assert_eq!(refused(bob(&home).get_shared("missing")), Refused::NotFound);
}

#[test]
fn nothing_is_given_from_the_moment_a_share_has_ended() {
    let home = shared();
    bob(&home).get_shared("t").unwrap();
    home.alice().unshare("t", "user:bob").unwrap();
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::NotFound);
    home.alice().share_with("t", "user:bob", Some(at(SECOND)), None).unwrap();
    bob(&home).get_shared("t").unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::ShareOver);
    assert_eq!(refused(bob(&home).describe_shared("t")), Refused::ShareOver);
    assert!(bob(&home).shared_with_me().is_empty() && home.alice().shares("t").unwrap().is_empty());
    assert!(bob(&home).is_refused("t").is_ok());
}

#[test]
fn an_expired_token_is_gone_for_everybody() {
    let home = Home::new();
    let options = PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() };
    home.alice().put_with("t", b"v", options).unwrap();
    home.alice().share_to_write("t", "user:bob").unwrap();
    home.clock.advance_usec(SECOND);
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::ShareOver);
    assert_eq!(refused(bob(&home).put("t", b"w")), Refused::NotFound);
    assert!(bob(&home).shared_with_me().is_empty());
}

#[test]
fn s8_who_has_the_uid_of_a_grantee_and_another_name_gets_nothing() {
    let home = shared();
    let newcomer = bob(&home).renamed("mallory");
    assert_eq!(refused(newcomer.get_shared("t")), Refused::NotFound);
    assert!(newcomer.shared_with_me().is_empty());
    assert_eq!(bob(&home).get_shared("t").unwrap(), b"of alice");
}

#[test]
fn what_was_shared_with_a_deleted_user_ends_whether_or_not_it_was_known() {
    for is_known in [false, true] {
        let home = shared();
        if is_known {
            home.bob().put("own", b"v").unwrap();
        }
        home.vault().freeze_user(&home.root().caller, BOB).unwrap();
        assert!(home.alice().shares("t").unwrap().is_empty() && !home.alice().describe("t").unwrap().shared);
        let refusal = if is_known { Refused::AccessDenied } else { Refused::NotFound };
        assert_eq!(refused(bob(&home).get_shared("t")), refusal, "also under the same name");
        if is_known {
            let present = Named { uid: BOB, user: NameNow::Is("bob".into()) };
            home.vault().adopt_user(&home.root().caller, BOB, &present).unwrap();
            assert_eq!(refused(bob(&home).get_shared("t")), Refused::NotFound, "it was not theirs to be adopted");
        }
        assert_eq!(refused(home.vault().freeze_user(&home.root().caller, 4_000)), Refused::InvalidArgs);
        home.check_counters();
    }
}

#[test]
fn nothing_is_given_of_an_owner_who_is_frozen_or_disabled_nor_to_a_grantee_who_is() {
    let home = shared();
    home.bob().put("own", b"v").unwrap();
    let set = |uid: u32, active: bool| {
        let subject = Named { uid, user: NameNow::None };
        let changes = UserChanges { active: Some(active), ..UserChanges::default() };
        home.vault().set_user(&home.root().caller, &subject, &changes).unwrap();
    };
    set(ALICE, false);
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::NotFound);
    assert!(bob(&home).shared_with_me().is_empty());
    set(ALICE, true);
    set(BOB, false);
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::AccessDenied);
    assert_eq!(refused(bob(&home).put("t", b"w")), Refused::AccessDenied);
    set(BOB, true);
    bob(&home).get_shared("t").unwrap();
    home.vault().freeze_user(&home.root().caller, ALICE).unwrap();
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::NotFound);
}

#[test]
fn number_and_name_of_a_group_must_both_still_match() {
    let home = home();
    home.alice().share("t", "group:ops").unwrap();
    let (member, request) = (bob_in_ops(&home), home.bob().of(Owner::Uid(ALICE)).get_request("t"));
    assert_eq!(member.groups_asked_for("t"), ["ops"]);
    assert_eq!(member.get_shared_with(&request, &[group_now("ops", Some(OPS))]).unwrap(), b"of alice");
    for now in [None, Some(OPS + 1)] {
        let groups = [group_now("ops", now)];
        assert_eq!(refused(member.get_shared_with(&request, &groups)), Refused::NotFound, "{now:?}");
        assert!(member.shared_page(&member.everything(), &groups).unwrap().tokens.is_empty());
    }
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::NotFound, "who is no member needs nobody's word");
}

#[test]
fn a_share_that_needs_no_group_does_not_wait_for_one() {
    let home = shared();
    home.alice().share("t", "group:ops").unwrap();
    assert_eq!(bob_in_ops(&home).get_shared("t").unwrap(), b"of alice");
}

#[test]
fn a_grantee_with_write_puts_versions_on_the_owners_account() {
    let home = Home::new();
    let options = PutOptions {
        attributes: Some(attributes(&[("env", "prod")])),
        expiry: Expiry::At(at(DAY)),
        keep_versions: Some(2),
        ..PutOptions::default()
    };
    home.alice().put_with("t", b"1", options).unwrap();
    home.alice().share_to_write("t", "user:bob").unwrap();
    let info = bob(&home).put("t", b"22").unwrap();
    assert_eq!((info.owner, info.version, info.grant.unwrap().permission), (ALICE, 2, Permission::Write));
    assert_eq!(bob(&home).generate("t", b"333").unwrap().version, 3);
    let after = home.alice().describe("t").unwrap();
    assert_eq!((after.attributes["env"].as_str(), after.expires, after.size), ("prod", Some(at(DAY)), 3));
    assert_eq!(home.alice().version_numbers("t"), [3, 2]);
    assert_eq!(home.alice().get("t").unwrap(), b"333", "also where it lay opened before");
    assert_eq!(home.bob().usage().unwrap(), (0, 0));
    home.check_counters();
    home.set(|settings| settings.bytes = 1);
    assert_eq!(refused(bob(&home).put("t", &[b'v'; 9_000])), Refused::LimitsExceeded);
}

#[test]
fn what_is_known_of_a_token_is_not_a_grantees_to_say() {
    let home = home();
    home.alice().share_to_write("t", "user:bob").unwrap();
    let refused_options = [
        PutOptions { class: Some(tokenvault_core::token::Class::Machine), ..PutOptions::default() },
        PutOptions { attributes: Some(attributes(&[])), ..PutOptions::default() },
        PutOptions { expiry: Expiry::After(1), ..PutOptions::default() },
        PutOptions { keep_versions: Some(1), ..PutOptions::default() },
        PutOptions { require_purpose: Some(false), ..PutOptions::default() },
    ];
    for options in refused_options {
        assert_eq!(refused(bob(&home).put_with("t", b"w", options.clone())), Refused::AccessDenied, "{options:?}");
    }
    assert_eq!(home.alice().version_numbers("t"), [1]);
    let expecting = PutOptions { expect_version: Some(7), ..PutOptions::default() };
    assert_eq!(refused(bob(&home).put_with("t", b"w", expecting)), Refused::Conflict);
    assert_eq!(refused(bob(&home).put("new", b"w")), Refused::NotFound);
}

#[test]
fn who_may_not_write_is_told_so_where_it_sees_the_token() {
    let home = shared();
    for name in ["t", "missing"] {
        let (told, stranger) = (bob(&home).put(name, b"w"), User::new(home.vault(), 1003).of(Owner::Uid(ALICE)));
        assert_eq!(refused(told), if name == "t" { Refused::AccessDenied } else { Refused::NotFound });
        assert_eq!(refused(stranger.put(name, b"w")), Refused::NotFound);
    }
    assert_eq!(refused(bob(&home).is_refused("t")), Refused::AccessDenied);
    home.alice().share_to_write("t", "user:bob").unwrap();
    home.set(|settings| settings.default_role = Role::Consumer);
    assert_eq!(refused(bob(&home).put("t", b"w")), Refused::AccessDenied, "a consumer stores nothing");
    assert_eq!(refused(bob(&home).put("missing", b"w")), Refused::NotFound);
}

#[test]
fn an_older_version_is_not_shared_and_a_purpose_is_asked_of_a_grantee_too() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.alice().put_with("t", b"2", PutOptions { require_purpose: Some(true), ..PutOptions::default() }).unwrap();
    home.alice().share_with("t", "user:bob", None, Some(1)).unwrap();
    let version = |version| GetRequest { version: Some(version), ..bob(&home).get_request("t") };
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::AccessDenied);
    for other in [1, 3] {
        assert_eq!(refused(bob(&home).get_shared_with(&version(other), &[])), Refused::AccessDenied);
    }
    let purpose = tokenvault_core::name::Hint::parse("purpose", "run").unwrap();
    let request = GetRequest { purpose, ..version(2) };
    assert_eq!(bob(&home).get_shared_with(&request, &[]).unwrap(), b"2", "none of them was a use");
    assert_eq!(refused(bob(&home).get_shared_with(&request, &[])), Refused::ShareOver);
}

#[test]
fn uses_are_spent_by_fetching_and_putting_and_then_the_share_is_over() {
    let home = home();
    let request = ShareRequest { uses: Some(3), ..home.alice().share_request("t", "user:bob") };
    home.alice().share_as(ShareRequest { permission: Permission::Write, ..request }).unwrap();
    bob(&home).get_shared("t").unwrap();
    bob(&home).put("t", b"w").unwrap();
    bob(&home).describe_shared("t").unwrap();
    assert_eq!(home.alice().grantees("t"), [("user:bob".to_owned(), Some(1))]);
    bob(&home).get_shared("t").unwrap();
    assert_eq!(refused(bob(&home).get_shared("t")), Refused::ShareOver);
    assert_eq!(refused(bob(&home).put("t", b"w")), Refused::NotFound);
    assert!(home.alice().shares("t").unwrap().is_empty() && bob(&home).shared_with_me().is_empty());
    home.check_counters();
    home.clock.advance_usec(9 * DAY);
    let request = CleanupRequest { clock_is_right: true, ..CleanupRequest::default() };
    assert_eq!(
        home.vault().cleanup(&home.root().caller, request).unwrap().shares,
        1,
        "it is deleted like what expired"
    );
    assert!(!home.alice().describe("t").unwrap().shared);
    home.check_counters();
}

#[test]
fn a_share_without_a_limit_goes_before_one_that_is_counted() {
    let home = home();
    home.alice().share_with("t", "user:bob", None, Some(1)).unwrap();
    home.alice().share("t", "group:ops").unwrap();
    let (member, ops) = (bob_in_ops(&home), [group_now("ops", Some(OPS))]);
    for _ in 0..3 {
        member.get_shared_with(&member.get_request("t"), &ops).unwrap();
    }
    assert_eq!(home.alice().grantees("t")[0].1, Some(1));
}

#[test]
fn of_many_who_want_the_last_use_one_gets_it() {
    for _ in 0..20 {
        let home = home();
        home.alice().share_with("t", "user:bob", None, Some(1)).unwrap();
        let start = Barrier::new(64);
        let given = thread::scope(|scope| {
            let ask = || {
                start.wait();
                answer(bob(&home).get_shared("t"))
            };
            let asking: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let (won, lost): (Vec<_>, Vec<_>) = given.into_iter().partition(Result::is_ok);
        assert_eq!(won, [Ok(b"of alice".to_vec())]);
        assert!(lost.iter().all(|answer| *answer == Err(Refused::ShareOver)), "{lost:?}");
    }
}

#[test]
fn a_use_is_not_spent_where_there_is_no_place_for_the_value() {
    let home = home();
    home.alice().share_with("t", "user:bob", None, Some(1)).unwrap();
    let asked = home.bob().of(Owner::Uid(ALICE));
    let used = wait(|reply| home.vault().get_counted(&asked.caller, asked.get_request("t"), vec![], 3, reply)).unwrap();
    assert!(matches!(used, tokenvault_core::token::Used::Resized));
    assert_eq!(bob(&home).get_shared("t").unwrap(), b"of alice");
}

#[test]
fn sharing_with_oneself_is_refused_and_machine_tokens_are_shared_like_others() {
    let home = home();
    assert_eq!(refused(home.alice().share("t", "user:alice")), Refused::InvalidArgs);
    home.root().put("m", b"of the machine").unwrap();
    assert_eq!(refused(home.root().share("m", "uid:0")), Refused::InvalidArgs);
    home.root().share("m", "user:bob").unwrap();
    assert_eq!(home.bob().of(Owner::Machine).get_shared("m").unwrap(), b"of the machine");
    assert_eq!(refused(home.bob().of(Owner::Machine).put("m", b"w")), Refused::AccessDenied);
    home.root().share_to_write("m", "user:bob").unwrap();
    assert_eq!(home.bob().of(Owner::Machine).put("m", b"w").unwrap().owner, ROOT);
}

#[test]
fn whoever_is_gone_is_listed_and_unshared_by_what_is_left_of_it() {
    let home = home();
    for uid in [7_001, 7_002] {
        home.alice().share("t", &format!("uid:{uid}")).unwrap();
    }
    home.alice().share("t", "group:ops").unwrap();
    let names: Vec<String> = home.alice().grantees("t").into_iter().map(|(grantee, _)| grantee).collect();
    assert_eq!(names, ["user:user7001", "user:user7002", "group:ops"]);
    home.alice().unshare("t", "uid:7001").unwrap();
    home.alice().unshare("t", "user:user7002").unwrap();
    assert_eq!(refused(home.alice().unshare("t", "user:ops")), Refused::NotShared);
    home.alice().unshare("t", "group:ops").unwrap();
    assert!(home.alice().shares("t").unwrap().is_empty());
    home.check_counters();
}

#[test]
fn a_list_has_what_is_shared_once_and_goes_by_pages_and_filters() {
    let home = Home::new();
    for number in 0..5 {
        let options =
            PutOptions { attributes: Some(attributes(&[("n", &number.to_string())])), ..PutOptions::default() };
        home.alice().put_with(&format!("a/{number}"), b"v", options).unwrap();
        home.alice().share(&format!("a/{number}"), "user:bob").unwrap();
    }
    home.root().put("m", b"v").unwrap();
    home.root().share("m", "group:ops").unwrap();
    home.alice().share_to_write("a/0", "group:ops").unwrap();
    home.bob().put("mine", b"v").unwrap();
    home.bob().share("mine", "group:ops").unwrap();
    let (member, ops) = (home.bob().in_group(OPS), [group_now("ops", Some(OPS))]);
    let (mut names, mut request) = (Vec::new(), ListRequest { limit: 2, ..member.everything() });
    loop {
        let page = member.shared_page(&request, &ops).unwrap();
        assert!(page.tokens.len() <= 2);
        names.extend(page.tokens.into_iter().map(|token| (token.name, token.grant.unwrap().permission)));
        if page.next.is_empty() {
            break;
        }
        request.after = page.next;
    }
    let expected = ["a/0", "a/1", "a/2", "a/3", "a/4", "m"]
        .map(|name| (name.to_owned(), if name == "a/0" { Permission::Write } else { Permission::Read }));
    assert_eq!(names, expected, "one's own is not shared with oneself");
    let filtered = ListRequest { attributes: attributes(&[("n", "3")]), ..member.everything() };
    assert_eq!(member.shared_page(&filtered, &ops).unwrap().tokens[0].name, "a/3");
    let of_alice = home.bob().of(Owner::Uid(ALICE));
    let Asked::Answer(page) = home.vault().list_shared(&of_alice.caller, &of_alice.everything(), true, &[]).unwrap()
    else {
        panic!("nothing has to be looked up")
    };
    assert_eq!(page.tokens.len(), 5);
    let place = member.shared_page(&ListRequest { limit: 1, ..member.everything() }, &ops).unwrap().next;
    let foreign = ListRequest { after: place, ..home.alice().everything() };
    assert_eq!(refused(home.alice().shared_page(&foreign, &[])), Refused::InvalidArgs, "a place is nobody else's");
}

#[test]
fn a_share_is_told_once_it_is_durable_and_reads_are_in_the_log_with_who_read() {
    let home = home();
    let heard = Heard::of(&home);
    let _refused = home.alice().share("missing", "user:bob");
    home.alice().share_with("t", "user:bob", None, Some(2)).unwrap();
    assert_eq!(heard.lines(), [format!("{ALICE} t shared")]);
    bob(&home).get_shared("t").unwrap();
    home.alice().share("t", "user:bob").unwrap();
    bob(&home).get_shared("t").unwrap();
    let _refused = bob(&home).is_refused("t");
    let _refused = User::new(home.vault(), 1003).of(Owner::Uid(ALICE)).get_shared("t");
    let records = records(&home);
    let count = |operation: &str, uid: u32, outcome: Outcome| {
        let is_it = |record: &&tokenvault_core::audit::AuditRecord| {
            record.operation == operation
                && record.uid == uid
                && record.outcome == outcome
                && record.owner == Some(ALICE)
        };
        records.iter().filter(is_it).map(|record| record.count.max(1)).sum::<u64>()
    };
    assert_eq!(count("Get", BOB, Outcome::Ok), 2);
    assert_eq!(count("Get", 1003, Outcome::NotFound), 1);
    assert_eq!(count("Rename", BOB, Outcome::Denied), 1);
    verified(&home).unwrap();
}
