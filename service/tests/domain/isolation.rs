//! Whose tokens they are: foreign ones are not there, the machine's are written by root, and a uid that changed hands
//! finds nothing.

use tokenvault_core::owner::Owner;
use tokenvault_core::policy::Role;
use tokenvault_core::token::Annotation;
use tokenvault_core::vault::Enrolment;

use crate::fixture::*;

/// Every method a token has, with what it answers.
pub fn every_answer(user: &User, name: &str) -> Vec<(&'static str, Result<(), Refused>)> {
    let mut answers = every_read(user, name);
    answers.extend(every_write(user, name));
    answers
}

fn every_read(user: &User, name: &str) -> Vec<(&'static str, Result<(), Refused>)> {
    vec![
        ("get", answer(user.get(name)).map(drop)),
        ("get version", answer(user.get_version(name, 1)).map(drop)),
        ("get for a purpose", answer(user.get_for(name, "look")).map(drop)),
        ("describe", answer(user.describe(name)).map(drop)),
        ("versions", answer(user.versions(name)).map(drop)),
    ]
}

fn every_write(user: &User, name: &str) -> Vec<(&'static str, Result<(), Refused>)> {
    vec![
        ("put", answer(user.put(name, b"foreign")).map(drop)),
        ("generate", answer(user.generate(name, b"foreign")).map(drop)),
        ("rollback", answer(user.rollback(name, 1)).map(drop)),
        ("annotate", answer(user.annotate(name, Annotation::default()))),
        ("rename", answer(user.rename(name, "taken away"))),
        ("delete version", answer(user.delete_version(name, 1))),
        ("delete", answer(user.delete(name))),
    ]
}

pub fn assert_all(answers: Vec<(&'static str, Result<(), Refused>)>, expected: Refused) {
    for (method, answer) in answers {
        assert_eq!(answer, Err(expected), "{method}");
    }
}

#[test]
fn another_uid_sees_not_found_whatever_it_tries() {
    let home = Home::new();
    home.alice().put("t", b"alice's").unwrap();
    home.bob().put("own", b"bob's").unwrap();
    for uid in [ROOT, BOB, 4_000] {
        let other = User::new(home.vault(), uid).of(Owner::Uid(ALICE));
        assert_all(every_answer(&other, "t"), Refused::NotFound);
        assert_all(every_answer(&other, "missing"), Refused::NotFound);
        assert_eq!(other.list().unwrap(), []);
    }
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
    assert_eq!(home.alice().version_numbers("t"), [1]);
}

#[test]
fn the_same_name_is_another_token_for_every_user() {
    let home = Home::new();
    home.alice().put("t", b"alice's").unwrap();
    assert_eq!(refused(home.bob().get("t")), Refused::NotFound);
    home.bob().put("t", b"bob's").unwrap();
    home.bob().delete("t").unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
}

#[test]
fn naming_oneself_as_the_owner_is_the_same_as_saying_nothing() {
    let home = Home::new();
    home.alice().of(Owner::Uid(ALICE)).put("t", b"1").unwrap();
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}

#[test]
fn an_owner_nobody_is_owns_nothing() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let nobody = home.alice().of(Owner::Nobody);
    assert_all(every_answer(&nobody, "t"), Refused::NotFound);
    assert_eq!(nobody.list().unwrap(), []);
}

#[test]
fn machine_tokens_are_roots_to_read_and_write() {
    let home = Home::new();
    let machine = home.root().of(Owner::Machine);
    let info = machine.put("t", b"the machine's").unwrap();
    assert_eq!(info.owner, ROOT);
    assert_eq!(machine.get("t").unwrap(), b"the machine's");
    assert_eq!(home.root().get("t").unwrap(), b"the machine's", "they are kept by uid 0's principal");
    let alice = home.alice().of(Owner::Machine);
    for name in ["t", "missing"] {
        assert_all(every_write(&alice, name), Refused::AccessDenied);
        assert_all(every_read(&alice, name), Refused::NotFound);
    }
    assert_eq!(alice.list().unwrap(), []);
    assert_eq!(machine.version_numbers("t"), [1]);
}

#[test]
fn a_role_that_only_reads_cannot_write() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for role in [Role::Consumer, Role::Auditor] {
        home.set(|settings| settings.default_role = role);
        assert_all(every_write(&home.bob(), "t"), Refused::AccessDenied);
        assert_all(every_read(&home.bob(), "t"), Refused::NotFound);
        assert_eq!(home.vault().standing(&home.bob().caller).unwrap().role, role);
    }
    home.alice().put("t", b"2").unwrap();
    assert_eq!(home.vault().standing(&home.alice().caller).unwrap().role, Role::Developer, "hers was given before");
    home.root().put("t", b"root is admin").unwrap();
}

#[test]
fn a_uid_whose_name_changed_is_denied_everything_until_it_changes_back() {
    let mut home = Home::new();
    home.alice().put("t", b"1").unwrap();
    for restarted in [false, true] {
        let stranger = || home.alice().renamed("mallory");
        for name in ["t", "missing"] {
            assert_all(every_answer(&stranger(), name), Refused::AccessDenied);
            assert_all(every_answer(&stranger().of(Owner::Uid(BOB)), name), Refused::AccessDenied);
        }
        assert_eq!(refused(stranger().list()), Refused::AccessDenied);
        assert_eq!(refused(stranger().usage()), Refused::AccessDenied, "nor how much there is");
        assert_eq!(refused(home.vault().standing(&stranger().caller)), Refused::AccessDenied);
        if !restarted {
            home.restart();
        }
    }
    assert_eq!(home.alice().get("t").unwrap(), b"1");
}

#[test]
fn a_vault_for_a_group_takes_in_its_members_only() {
    let home = Home::new();
    home.set(|settings| settings.enrolment = Enrolment::Group(2_000));
    assert_eq!(refused(home.alice().put("t", b"1")), Refused::AccessDenied);
    assert_eq!(refused(home.alice().get("t")), Refused::NotFound);
    home.alice().in_group(2_000).put("t", b"1").unwrap();
    assert_eq!(home.alice().put("t", b"2").unwrap().version, 2, "who is in stays in");
    home.root().of(Owner::Machine).put("t", b"1").unwrap();
}

#[test]
fn a_vault_of_invited_users_takes_in_nobody_by_itself() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    home.set(|settings| settings.enrolment = Enrolment::Admin);
    assert_eq!(refused(home.bob().in_group(2_000).put("t", b"1")), Refused::AccessDenied);
    assert_eq!(home.bob().usage().unwrap(), (0, 0));
    home.alice().put("t", b"2").unwrap();
    home.root().put("t", b"1").unwrap();
}

#[test]
fn a_first_put_that_is_refused_enrols_nobody() {
    let home = Home::new();
    home.set(|settings| settings.bytes = 1);
    assert_eq!(refused(home.alice().put("t", b"1")), Refused::LimitsExceeded);
    home.set(|settings| settings.bytes = 0);
    // Had it enrolled her, the next caller of her uid would be frozen.
    home.alice().renamed("mallory").put("t", b"1").unwrap();
}
