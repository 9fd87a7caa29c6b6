//! A user who was deleted while the vault could not be told: whoever comes next under the uid and the name is given nothing,
//! from the first call after the vault is open again.

use std::sync::{Arc, Mutex};

use tokenvault_core::port::{DeletionNote, DeletionNotes};
use tokenvault_core::token::CleanupRequest;
use tokenvault_core::user::{NameNow, Named};
use tokenvault_core::{Error, Timestamp};

use crate::fixture::*;
use crate::isolation::{assert_all, every_answer};

/// What userdel has left, and what the vault said of it.
#[derive(Clone, Default)]
struct Notes {
    left: Arc<Mutex<Vec<DeletionNote>>>,
    unreadable: Arc<Mutex<Option<String>>>,
    frozen: Arc<Mutex<Vec<(u32, bool)>>>,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    fn leave(&self, id: &str, user: &str) {
        let note = DeletionNote { id: id.into(), user: user.into(), uid: None, time: START };
        self.left.lock().unwrap().push(note);
    }

    fn frozen(&self) -> Vec<(u32, bool)> {
        std::mem::take(&mut *self.frozen.lock().unwrap())
    }
}

impl DeletionNotes for Notes {
    fn read(&self) -> (Vec<DeletionNote>, Option<String>) {
        (self.left.lock().unwrap().clone(), self.unreadable.lock().unwrap().clone())
    }

    fn tell_frozen(&self, uid: u32, written: &Result<(), Error>) {
        self.frozen.lock().unwrap().push((uid, written.is_ok()));
    }

    fn tell_heeded(&self, heeded: &Result<(), Error>) {
        self.failures.lock().unwrap().extend(heeded.as_ref().err().map(ToString::to_string));
    }
}

/// A vault in which Alice and Bob have a token, and what is said to it.
fn home_with_notes() -> (Home, Notes) {
    let (home, notes) = (Home::new(), Notes::default());
    home.vault().heed_notes_of(notes.clone());
    home.alice().put("t", b"alice's").unwrap();
    home.bob().put("t", b"bob's").unwrap();
    (home, notes)
}

fn seal(home: &Home) {
    home.vault().seal(&home.root().caller).unwrap();
}

/// The next start, with the same notes.
fn restart(home: &mut Home, notes: &Notes) {
    let settings = (*home.vault().settings()).clone();
    home.stop();
    home.start(settings);
    home.vault().heed_notes_of(notes.clone());
    home.unseal().unwrap();
}

fn done(home: &Home) -> Vec<(String, bool)> {
    home.vault().deletions().unwrap().into_iter().map(|deletion| (deletion.note.user, deletion.done)).collect()
}

fn adopt_alice(home: &Home) {
    let alice = Named { uid: ALICE, user: NameNow::Is("alice".into()) };
    home.vault().adopt_user(&home.root().caller, ALICE, &alice).unwrap();
}

#[test]
fn whom_a_note_names_is_frozen_before_anybody_is_served() {
    let (mut home, notes) = home_with_notes();
    seal(&home);
    notes.leave("1", "alice");
    assert_eq!(done(&home), [("alice".into(), false)], "a sealed vault does not know");
    home.unseal().unwrap();
    for restarted in [false, true] {
        assert_all(every_answer(&home.alice(), "t"), Refused::AccessDenied);
        assert_eq!(refused(home.alice().list()), Refused::AccessDenied);
        assert_eq!(home.bob().get("t").unwrap(), b"bob's");
        assert_eq!(done(&home), [("alice".into(), true)]);
        if !restarted {
            restart(&mut home, &notes);
        }
    }
    assert_eq!(notes.frozen(), [(ALICE, true)]);
    let written = records(&home);
    assert!(written.iter().any(|record| record.operation == "FreezeUser" && record.owner == Some(ALICE)));
}

#[test]
fn a_note_that_was_heeded_is_not_heeded_again_after_the_tokens_were_adopted() {
    let (mut home, notes) = home_with_notes();
    seal(&home);
    notes.leave("1", "alice");
    home.unseal().unwrap();
    adopt_alice(&home);
    restart(&mut home, &notes);
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
    // She is deleted once more: that is another note.
    seal(&home);
    notes.leave("2", "alice");
    home.unseal().unwrap();
    assert_eq!(refused(home.alice().get("t")), Refused::AccessDenied);
}

#[test]
fn everybody_of_the_name_is_meant_and_nobody_else_and_never_root() {
    let (home, notes) = home_with_notes();
    home.root().put("t", b"the machine's").unwrap();
    for (uid, name) in [(2001, "alice"), (2002, "alice2")] {
        somebody(&home, uid).renamed(name).put("t", b"1").unwrap();
    }
    seal(&home);
    for (id, name) in [("1", "alice"), ("2", "root"), ("3", "nobody-of-the-vault")] {
        notes.leave(id, name);
    }
    home.unseal().unwrap();
    assert_eq!(refused(somebody(&home, 2001).renamed("alice").get("t")), Refused::AccessDenied);
    assert_eq!(somebody(&home, 2002).renamed("alice2").get("t").unwrap(), b"1");
    assert_eq!(home.root().get("t").unwrap(), b"the machine's");
    assert!(done(&home).iter().all(|(_, done)| *done));
    assert_eq!(notes.frozen(), [(ALICE, true), (2001, true)]);
}

fn somebody(home: &Home, uid: u32) -> User {
    User::new(home.vault(), uid)
}

#[test]
fn a_cleanup_heeds_what_was_left_while_the_vault_was_open_and_a_dry_one_does_not() {
    let (home, notes) = home_with_notes();
    home.alice().get("t").unwrap();
    assert!(home.alice().get_hot("t").is_some());
    notes.leave("1", "alice");
    let cleanup = |dry_run| {
        let request = CleanupRequest { dry_run, ..CleanupRequest::default() };
        home.vault().cleanup(&home.root().caller, request).unwrap();
    };
    cleanup(true);
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
    cleanup(false);
    assert_eq!(home.alice().get_hot("t"), None);
    assert_eq!(refused(home.alice().get("t")), Refused::AccessDenied);
}

#[test]
fn notes_that_cannot_be_read_keep_no_other_from_being_heeded_and_are_told() {
    let (home, notes) = home_with_notes();
    seal(&home);
    notes.leave("1", "alice");
    *notes.unreadable.lock().unwrap() = Some("the directory is anybody's; mend it".into());
    home.unseal().unwrap();
    assert_eq!(home.bob().get("t").unwrap(), b"bob's");
    assert_all(every_answer(&home.alice(), "t"), Refused::AccessDenied);
    let failures = std::mem::take(&mut *notes.failures.lock().unwrap());
    assert!(!failures.is_empty() && failures.iter().all(|told| told == "the directory is anybody's; mend it"));
    assert_eq!(refused(home.vault().deletions()), Refused::Unavailable);
}

#[test]
fn notes_that_are_gone_are_forgotten() {
    let (mut home, notes) = home_with_notes();
    seal(&home);
    notes.leave("1", "alice");
    home.unseal().unwrap();
    adopt_alice(&home);
    notes.left.lock().unwrap().clear();
    notes.leave("2", "nobody-of-the-vault");
    restart(&mut home, &notes);
    notes.left.lock().unwrap().clear();
    notes.leave("1", "alice");
    restart(&mut home, &notes);
    assert_eq!(refused(home.alice().get("t")), Refused::AccessDenied, "as if it had never been");
}

#[test]
fn what_is_left_while_the_vault_is_open_is_heeded_when_it_looks_again() {
    let (home, notes) = home_with_notes();
    home.alice().get("t").unwrap();
    notes.leave("1", "alice");
    home.vault().heed_new_deletions();
    assert_all(every_answer(&home.alice(), "t"), Refused::AccessDenied);
    assert_eq!(home.bob().get("t").unwrap(), b"bob's");
    assert_eq!(done(&home), [("alice".into(), true)]);
    // Once is enough.
    adopt_alice(&home);
    home.vault().heed_new_deletions();
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
}

#[test]
fn a_note_means_whom_there_was_when_it_was_left_and_not_who_came_after() {
    let (home, notes) = home_with_notes();
    home.clock.advance_usec(DAY);
    home.vault().heed_new_deletions();
    somebody(&home, 2001).renamed("alice").put("t", b"the next one's").unwrap();
    let time = START.checked_add_usec(SECOND).unwrap();
    notes.left.lock().unwrap().push(DeletionNote { id: "1".into(), user: "alice".into(), uid: None, time });
    home.vault().heed_new_deletions();
    assert_eq!(somebody(&home, 2001).renamed("alice").get("t").unwrap(), b"the next one's");
    assert_eq!(notes.frozen(), [(ALICE, true)]);
    // A clock that was wrong then says nothing of who was first.
    home.clock.set_wall(START);
    notes.leave("2", "alice");
    home.vault().heed_new_deletions();
    assert_eq!(notes.frozen(), [(2001, true)]);
}

#[test]
fn whoever_adopts_tokens_is_not_frozen_by_what_was_left_before() {
    let (home, notes) = home_with_notes();
    notes.leave("1", "alice");
    adopt_alice(&home);
    home.vault().heed_new_deletions();
    assert_eq!(home.alice().get("t").unwrap(), b"alice's");
}

#[test]
fn what_others_had_shared_with_somebody_who_was_deleted_ends() {
    let (home, notes) = home_with_notes();
    home.bob().share_with("t", &format!("uid:{ALICE}"), None, None).unwrap();
    seal(&home);
    notes.leave("1", "alice");
    home.unseal().unwrap();
    assert_eq!(home.bob().shares("t").unwrap(), []);
}

#[test]
fn what_others_had_shared_with_somebody_who_stored_nothing_ends_by_the_uid() {
    const CAROL: u32 = 4244;
    let (home, notes) = home_with_notes();
    home.bob().share_with("t", &format!("uid:{CAROL}"), None, None).unwrap();
    seal(&home);
    notes.left.lock().unwrap().push(DeletionNote {
        id: "1".into(),
        user: "carol".into(),
        uid: Some(CAROL),
        time: START,
    });
    home.unseal().unwrap();
    assert_eq!(home.bob().shares("t").unwrap(), []);
    assert_eq!(notes.frozen(), [], "there is nobody to freeze");
    // Whoever has the uid since then keeps what is shared with it.
    home.bob().share_with("t", &format!("uid:{CAROL}"), None, None).unwrap();
    home.vault().heed_new_deletions();
    assert_eq!(home.bob().shares("t").unwrap().len(), 1);
}

#[test]
fn a_note_with_a_uid_means_who_has_it_under_another_name_too() {
    let (home, notes) = home_with_notes();
    notes.left.lock().unwrap().push(DeletionNote {
        id: "1".into(),
        user: "alicia".into(),
        uid: Some(ALICE),
        time: START,
    });
    home.vault().heed_new_deletions();
    assert_eq!(notes.frozen(), [(ALICE, true)]);
}

#[test]
fn a_note_with_a_date_of_long_ago_means_whom_there_was_before_the_vault_was_opened() {
    let (home, notes) = home_with_notes();
    seal(&home);
    // The clock was wrong then and is right now.
    let time = Timestamp::from_usec(START.as_usec() - DAY);
    notes.left.lock().unwrap().push(DeletionNote { id: "1".into(), user: "alice".into(), uid: None, time });
    home.unseal().unwrap();
    assert_eq!(notes.frozen(), [(ALICE, true)]);
}

#[test]
fn what_was_shared_with_a_uid_ends_also_where_the_next_one_has_stored_something() {
    const CAROL: u32 = 4244;
    let (home, notes) = home_with_notes();
    home.bob().share_with("t", &format!("uid:{CAROL}"), None, None).unwrap();
    home.clock.advance_usec(DAY);
    home.vault().heed_new_deletions();
    home.clock.advance_usec(DAY);
    somebody(&home, CAROL).put("t", b"the next one's").unwrap();
    let time = START.checked_add_usec(DAY + SECOND).unwrap();
    notes.left.lock().unwrap().push(DeletionNote { id: "1".into(), user: "carol".into(), uid: Some(CAROL), time });
    home.vault().heed_new_deletions();
    assert_eq!(notes.frozen(), []);
    assert_eq!(home.bob().shares("t").unwrap(), []);
    assert_eq!(somebody(&home, CAROL).get("t").unwrap(), b"the next one's");
}
