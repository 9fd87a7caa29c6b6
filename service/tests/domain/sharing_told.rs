//! With whom of those who listen something is shared, and that they are told what becomes of its owner.

use tokenvault_core::announcement::{Announcement, News};
use tokenvault_core::owner::Owner;
use tokenvault_core::user::{NameNow, Named, UserChanges};
use tokenvault_core::vault::Listening;

use crate::announcement::Heard;
use crate::fixture::*;

const CAROL: u32 = 7_001;

/// Alice's token, shared with Bob, with a group that Carol is in, and with somebody else.
fn shared() -> Home {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for grantee in ["user:bob", "group:ops", "uid:7002"] {
        home.alice().share("t", grantee).unwrap();
    }
    home
}

fn listen(home: &Home, uid: u32) -> Listening {
    home.vault().listen(&User::new(home.vault(), uid).in_group(if uid == CAROL { OPS } else { uid }).caller).unwrap()
}

/// What was said, each with those to whom beside the owner.
fn said(heard: &Heard) -> Vec<(String, Vec<String>)> {
    let line = |said: Announcement| {
        let News::Changed { happened, .. } = said.news else { panic!("{said:?}") };
        let grantees = said.grantees.iter().map(ToString::to_string).collect();
        (format!("{} {}", said.owner, happened.as_str()), grantees)
    };
    heard.take().into_iter().map(line).collect()
}

fn to(what: &str, whom: &[&str]) -> (String, Vec<String>) {
    (what.to_owned(), whom.iter().map(ToString::to_string).collect())
}

#[test]
fn it_is_asked_for_those_who_listen_and_for_nobody_else() {
    let mut home = shared();
    let heard = Heard::of(&home);
    let put = |home: &Home| drop(home.alice().put("t", b"2").unwrap());
    put(&home);
    let bob = listen(&home, BOB);
    put(&home);
    let carol = listen(&home, CAROL);
    let again = listen(&home, CAROL);
    put(&home);
    drop((bob, again));
    put(&home);
    drop(carol);
    put(&home);
    let told = [&[][..], &["user:bob"], &["user:bob", "group:ops"], &["group:ops"], &[]];
    assert_eq!(said(&heard), told.map(|whom| to("1001 put", whom)));
    home.vault().seal(&home.root().caller).unwrap();
    // Whoever listens to a vault that is not open is known to it when it is.
    let (first, second) = (listen(&home, BOB), listen(&home, CAROL));
    home.unseal().unwrap();
    put(&home);
    drop(first);
    put(&home);
    assert_eq!(said(&heard), [to("1001 put", &["user:bob", "group:ops"]), to("1001 put", &["group:ops"])]);
    home.vault().seal(&home.root().caller).unwrap();
    home.unseal().unwrap();
    put(&home);
    assert_eq!(said(&heard), [to("1001 put", &["group:ops"])]);
    drop((second, heard));
    home.stop();
    home.start(tokenvault_core::vault::Settings::default());
}

#[test]
fn whom_tokens_are_shared_with_is_told_what_becomes_of_their_owner() {
    let home = shared();
    home.alice().put("u", b"1").unwrap();
    home.alice().share("u", "user:bob").unwrap();
    let (heard, root) = (Heard::of(&home), home.root().caller);
    let _listening = [BOB, CAROL].map(|uid| listen(&home, uid));
    let set = |active: bool| {
        let subject = Named { uid: ALICE, user: NameNow::None };
        let changes = UserChanges { active: Some(active), ..UserChanges::default() };
        home.vault().set_user(&root, &subject, &changes).unwrap();
    };
    let both = ["user:bob", "group:ops"];
    set(false);
    assert_eq!(said(&heard), [to("1001 disabled", &both)], "each once");
    set(false);
    set(true);
    assert_eq!(said(&heard), [to("1001 enabled", &both)], "where something has changed");
    home.vault().freeze_user(&root, ALICE).unwrap();
    home.vault().freeze_user(&root, ALICE).unwrap();
    assert_eq!(said(&heard), [to("1001 frozen", &both)]);
    let present = Named { uid: ALICE, user: NameNow::Is("alice".into()) };
    home.vault().adopt_user(&root, ALICE, &present).unwrap();
    assert_eq!(said(&heard), [to("1001 adopted", &both)]);
    assert_eq!(home.bob().of(Owner::Uid(ALICE)).get_shared("u").unwrap(), b"1");
    home.vault().purge_user(&root, ALICE).unwrap();
    assert_eq!(said(&heard), [to("1001 frozen", &both), to("1001 purged", &[])]);
}
