//! What the vault announces: every change once, after it is durable, in its order, with whom it is shared.

use std::sync::{Arc, Mutex};

use tokenvault_core::announcement::{Announcement, News};
use tokenvault_core::owner::Owner;
use tokenvault_core::token::{Annotation, Expiry, PutMode, PutOptions};
use tokenvault_core::user::{NameNow, Named};

use crate::fixture::*;

/// What was announced since this was made.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<Announcement>>>);

impl Heard {
    pub fn of(home: &Home) -> Self {
        let heard = Self::default();
        let hears = heard.clone();
        home.vault().on_announcement(move |said| hears.0.lock().unwrap().push(said));
        heard
    }

    pub fn take(&self) -> Vec<Announcement> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Owner, name and what happened, in a line for each.
    pub fn lines(&self) -> Vec<String> {
        let line = |said: Announcement| match said.news {
            News::Changed { happened, version, .. } => {
                format!("{} {} {} {version}", said.owner, said.name, happened.as_str())
            }
            News::Expiring { expires } => {
                format!("{} {} expiring {}", said.owner, said.name, expires.as_usec() - START.as_usec())
            }
            News::Shared => format!("{} {} shared", said.owner, said.name),
        };
        self.take().into_iter().map(line).collect()
    }
}

#[test]
fn every_change_is_announced_once_with_the_version_that_is_current_then() {
    let home = Home::new();
    let (heard, alice) = (Heard::of(&home), home.alice());
    alice.put("t", b"1").unwrap();
    assert_eq!(heard.lines(), ["1001 t put 1"], "before it is answered");
    alice.generate("t", b"2").unwrap();
    alice.rollback("t", 1).unwrap();
    alice.annotate("t", Annotation { require_purpose: Some(true), ..Annotation::default() }).unwrap();
    alice.rename("t", "u").unwrap();
    alice.rename("u", "u").unwrap();
    alice.delete_version("u", 3).unwrap();
    alice.delete_version("u", 1).unwrap();
    alice.delete("u").unwrap();
    let told = [
        "1001 t generated 2",
        "1001 t rolled-back 3",
        "1001 t annotated 3",
        "1001 t renamed 0",
        "1001 u renamed 3",
        "1001 u version-deleted 2",
        "1001 u version-deleted 2",
        "1001 u deleted 0",
    ];
    assert_eq!(heard.lines(), told);
    alice.put("once", b"1").unwrap();
    alice.delete_version("once", 1).unwrap();
    assert_eq!(heard.lines(), ["1001 once put 1", "1001 once deleted 0"], "with its last version a token goes");
}

#[test]
fn what_was_refused_or_reads_announces_nothing() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let heard = Heard::of(&home);
    let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    assert_eq!(refused(home.alice().put_with("t", b"2", create)), Refused::Exists);
    assert_eq!(refused(home.bob().delete("t")), Refused::NotFound);
    assert_eq!(refused(home.alice().rename("nothing", "u")), Refused::NotFound);
    home.alice().get("t").unwrap();
    home.alice().list().unwrap();
    assert_eq!(heard.lines(), [""; 0]);
}

#[test]
fn what_an_expired_token_leaves_is_not_told_as_if_it_were_there() {
    let home = Home::new();
    let alice = home.alice();
    let for_a_second = PutOptions { expiry: Expiry::After(SECOND), ..PutOptions::default() };
    alice.put_with("t", b"1", for_a_second).unwrap();
    alice.put("t", b"2").unwrap();
    home.clock.advance_usec(SECOND);
    let heard = Heard::of(&home);
    alice.delete_version("t", 2).unwrap();
    assert_eq!(heard.lines(), ["1001 t version-deleted 0"], "the version that is left has expired");
    assert_eq!(refused(alice.delete("t")), Refused::NotFound);
    assert_eq!(heard.lines(), [""; 0]);
}

#[test]
fn with_whom_a_token_is_shared_is_said_where_it_still_is() {
    let home = Home::new();
    let root = home.root();
    root.put("t", b"1").unwrap();
    let heard = Heard::of(&home);
    root.share("t", "unit:a.service").unwrap();
    let shared = heard.take().remove(0);
    assert_eq!((shared.owner, shared.name.as_str(), shared.news), (0, "t", News::Shared));
    assert_eq!(shared.grantees[0].to_string(), "unit:a.service");
    let end = START.checked_add_usec(SECOND);
    root.share_with("t", "unit:b.service", end, None).unwrap();
    let grantees = |heard: &Heard| -> Vec<Vec<String>> {
        let of = |said: Announcement| said.grantees.iter().map(ToString::to_string).collect();
        heard.take().into_iter().map(of).collect()
    };
    assert_eq!(grantees(&heard), [["unit:b.service"]], "whom it was shared with before hears nothing");
    root.put("t", b"2").unwrap();
    assert_eq!(grantees(&heard), [["unit:a.service", "unit:b.service"]]);
    home.clock.advance_usec(SECOND);
    root.rename("t", "u").unwrap();
    root.delete("u").unwrap();
    assert_eq!(grantees(&heard), [["unit:a.service"]; 3], "also of what is gone, and no share that has ended");
}

#[test]
fn that_all_tokens_of_a_user_go_elsewhere_is_told_without_names() {
    let home = Home::new();
    home.alice().put("t", b"1").unwrap();
    let (heard, root) = (Heard::of(&home), home.root().caller);
    let bob = Named { uid: BOB, user: NameNow::Is("bob".into()) };
    home.vault().adopt_user(&root, ALICE, &bob).unwrap();
    home.vault().purge_user(&root, BOB).unwrap();
    assert_eq!(heard.lines(), ["1001  adopted 0", "1002  adopted 0", "1002  purged 0"]);
}

#[test]
fn what_writers_change_at_one_time_is_announced_in_the_order_of_the_versions() {
    let home = Home::new();
    let heard = Heard::of(&home);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| drop(home.root().of(Owner::Machine).put("t", b"1").unwrap())));
        }
    });
    let told: Vec<String> = (1..=200).map(|version| format!("0 t put {version}")).collect();
    assert_eq!(heard.lines(), told);
}
