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

fn on_the_bus(client: u64) -> Place {
    Place { link: 0, name: format!(":1.{client}") }
}

fn enter(subscriptions: &Subscriptions, link: u64, uid: u32) -> Arc<Subscription> {
    let (subscription, is_new) = subscriptions.enter(&place(link), (&caller(uid), false), MOST).unwrap();
    assert!(is_new);
    subscription
}

fn refused(subscriptions: &Subscriptions, place: &Place, uid: u32) -> &'static str {
    match subscriptions.enter(place, (&caller(uid), false), MOST) {
        Err(Error::LimitsExceeded { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

fn changed(owner: u32) -> Announcement {
    let news = News::Changed { happened: Happened::Put, version: 1, expires: None };
    Announcement { owner, name: "t".into(), news, grantees: Vec::new() }
}

/// How much waits, and whether that something is lost.
async fn waiting(subscription: &Subscription) -> (usize, bool) {
    let (mut count, mut is_lost) = (0, false);
    loop {
        tokio::select! {
            biased;
            next = subscription.mailbox.take() => match next {
                Some(Next::Tell(Told::Lost)) => is_lost = true,
                Some(Next::Tell(_)) => {
                    count += 1;
                    subscription.mailbox.pass_over();
                }
                Some(Next::Judge) => {}
                None => return (count, is_lost),
            },
            () = std::future::ready(()) => return (count, is_lost),
        }
    }
}

#[tokio::test]
async fn changes_are_for_their_owner_and_work_for_who_began_it_and_root() {
    let subscriptions = Subscriptions::default();
    let (alice, bob, root) = (enter(&subscriptions, 1, 7), enter(&subscriptions, 2, 8), enter(&subscriptions, 3, 0));
    subscriptions.announce(changed(7));
    assert_eq!((waiting(&alice).await.0, waiting(&bob).await.0, waiting(&root).await.0), (1, 0, 0));
    subscriptions.announce(changed(0));
    assert_eq!((waiting(&alice).await.0, waiting(&bob).await.0, waiting(&root).await.0), (0, 0, 1));
    subscriptions.tell_operation(7, OperationInfo::default());
    assert_eq!((waiting(&alice).await.0, waiting(&bob).await.0, waiting(&root).await.0), (1, 0, 1));
}

#[test]
fn few_are_had_by_one_user_and_by_all_and_the_last_are_roots() {
    let subscriptions = Subscriptions::default();
    let first = enter(&subscriptions, 1, 7);
    enter(&subscriptions, 2, 7);
    assert_eq!(refused(&subscriptions, &place(3), 7), "subscriptions");
    let (again, is_new) = subscriptions.enter(&place(1), (&caller(7), false), MOST).unwrap();
    assert!(Arc::ptr_eq(&again, &first) && !is_new, "it has subscribed already");
    enter(&subscriptions, 3, 8);
    assert_eq!(refused(&subscriptions, &place(4), 9), "subscriptions-total");
    enter(&subscriptions, 4, 0);
    subscriptions.leave(&place(4));
    subscriptions.forget(&first);
    enter(&subscriptions, 5, 9);
    subscriptions.leave(&place(2));
    assert_eq!(subscriptions.count(), 2);
}

#[test]
fn on_a_bus_one_user_has_fewer() {
    let subscriptions = Subscriptions::default();
    let most = Most { of_one: 6, of_all: 0 };
    let enter = |place: &Place, uid| subscriptions.enter(place, (&caller(uid), false), most);
    (0..ON_A_BUS).for_each(|client| drop(enter(&on_the_bus(client), 7).unwrap()));
    assert!(matches!(enter(&on_the_bus(98), 7), Err(Error::LimitsExceeded { limit: "subscriptions", .. })));
    (1..3).for_each(|link| drop(enter(&place(link), 7).unwrap()));
    assert!(matches!(enter(&place(3), 7), Err(Error::LimitsExceeded { .. })));
    enter(&on_the_bus(99), 8).unwrap();
}

#[tokio::test]
async fn who_lost_something_goes_on_when_it_subscribes_again_and_its_end_does_not_end_a_newer_one() {
    let subscriptions = Subscriptions::default();
    let first = enter(&subscriptions, 1, 7);
    (0..2 * SIGNALS_MAX).for_each(|_| subscriptions.announce(changed(7)));
    let (again, is_new) = subscriptions.enter(&place(1), (&caller(7), false), MOST).unwrap();
    assert!(Arc::ptr_eq(&again, &first) && !is_new, "two deliveries would overtake each other");
    assert_eq!(waiting(&first).await, (SIGNALS_MAX, true));
    first.mailbox.lose();
    assert!(first.mailbox.end());
    let second = enter(&subscriptions, 1, 7);
    subscriptions.forget(&first);
    subscriptions.announce(changed(7));
    assert_eq!((waiting(&first).await, waiting(&second).await), ((0, false), (1, false)));
}

#[test]
fn a_call_that_fails_ends_no_subscription_that_another_call_has_settled() {
    let subscriptions = Subscriptions::default();
    let first = enter(&subscriptions, 1, 7);
    assert!(!first.is_settled() && subscriptions.settle(&first) && first.is_settled());
    subscriptions.give_up(&first);
    assert_eq!(subscriptions.count(), 1);
    let second = enter(&subscriptions, 2, 7);
    subscriptions.give_up(&second);
    assert_eq!(subscriptions.count(), 1);
    assert!(!subscriptions.settle(&second), "the other call has to enter again");
    assert!(!second.is_settled());
}

#[tokio::test]
async fn what_was_announced_before_a_uid_had_other_tokens_is_not_told_to_its_new_user() {
    let subscriptions = Subscriptions::default();
    let (alice, bob) = (enter(&subscriptions, 1, 7), enter(&subscriptions, 2, 8));
    for uid in [7, 8] {
        subscriptions.announce(changed(uid));
    }
    let held = subscriptions.hold(7);
    let again = subscriptions.hold(7);
    assert!(subscriptions.is_held(7) && !subscriptions.is_held(8));
    drop(held);
    assert!(subscriptions.is_held(7));
    drop(again);
    assert!(!subscriptions.is_held(7));
    assert_eq!((waiting(&alice).await, waiting(&bob).await), ((0, true), (1, false)));
    // Where nothing was, it is asked anew and nothing else.
    drop(subscriptions.hold(8));
    assert!(matches!(bob.mailbox.take().await, Some(Next::Judge)));
}
