use tokenvault_core::announcement::{Happened, News};
use tokenvault_core::vault::daemon;
use tokenvault_proto::SIGNALS_MAX;

use super::*;

const MOST: Most = Most { of_one: 2, of_all: 3 };

fn place(link: u64) -> Place {
    Place { link, name: String::new() }
}

fn caller(uid: u32) -> Caller {
    Caller { uid, ..daemon() }
}

fn enter(subscriptions: &Subscriptions, link: u64, uid: u32) -> Arc<Subscription> {
    subscriptions.enter(place(link), (caller(uid), false), MOST).unwrap().expect("a new one")
}

fn changed(owner: u32) -> Announcement {
    let news = News::Changed { happened: Happened::Put, version: 1, expires: None };
    Announcement { owner, name: "t".into(), news, grantees: Vec::new() }
}

/// What waits; the subscription has ended then.
async fn waiting(subscription: &Subscription) -> usize {
    let mut count = 0;
    loop {
        tokio::select! {
            biased;
            told = subscription.mailbox.take() => match told {
                Some(_) => count += 1,
                None => return count,
            },
            () = std::future::ready(()) => return count,
        }
    }
}

#[tokio::test]
async fn changes_are_for_their_owner_and_the_machines_for_administrators() {
    let subscriptions = Subscriptions::default();
    let (alice, bob, root) = (enter(&subscriptions, 1, 7), enter(&subscriptions, 2, 8), enter(&subscriptions, 3, 0));
    bob.note_administers(bob.question(), false);
    alice.note_administers(alice.question(), false);
    subscriptions.announce(changed(7));
    assert_eq!((waiting(&alice).await, waiting(&bob).await, waiting(&root).await), (1, 0, 0));
    let question = bob.question();
    subscriptions.judge_again(8);
    bob.note_administers(question, false);
    subscriptions.announce(changed(0));
    assert_eq!((waiting(&alice).await, waiting(&bob).await, waiting(&root).await), (0, 1, 1));
    subscriptions.tell_operation(7, OperationInfo::default());
    assert_eq!((waiting(&alice).await, waiting(&bob).await, waiting(&root).await), (1, 1, 1));
}

#[test]
fn few_are_had_by_one_user_and_by_all() {
    let subscriptions = Subscriptions::default();
    let refused = |link, uid| match subscriptions.enter(place(link), (caller(uid), false), MOST) {
        Err(Error::LimitsExceeded { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let first = enter(&subscriptions, 1, 7);
    enter(&subscriptions, 2, 7);
    assert_eq!(refused(3, 7), "subscriptions");
    assert!(subscriptions.enter(place(1), (caller(7), false), MOST).unwrap().is_none(), "it has subscribed already");
    enter(&subscriptions, 3, 8);
    assert_eq!(refused(4, 9), "subscriptions-total");
    subscriptions.forget(&first);
    enter(&subscriptions, 4, 9);
    subscriptions.leave(&place(2));
    assert_eq!(subscriptions.count(), 2);
}

#[tokio::test]
async fn who_lost_something_may_subscribe_anew_and_its_end_does_not_end_that() {
    let subscriptions = Subscriptions::default();
    let first = enter(&subscriptions, 1, 7);
    (0..=SIGNALS_MAX).for_each(|_| subscriptions.announce(changed(7)));
    assert_eq!(subscriptions.count(), 0);
    let second = enter(&subscriptions, 1, 7);
    subscriptions.forget(&first);
    subscriptions.announce(changed(7));
    assert_eq!((waiting(&first).await, waiting(&second).await), (SIGNALS_MAX + 1, 1));
}
