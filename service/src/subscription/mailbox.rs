//! What waits to be told to one subscriber.
//!
//! Only so much is ever under way to somebody: what was sent and nobody has said to have read, and as much again that waits here.
//! Past that the subscriber is told that something is lost, and nothing more until it subscribes again. So whoever does not read
//! holds a few messages and delays nobody. What turns out not to be for a subscriber costs it nothing: it could count it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::announcement::Announcement;
use tokenvault_proto::{OperationInfo, SIGNALS_MAX};
use tokio::sync::Notify;

/// Something to tell.
#[derive(Debug, Clone)]
pub enum Told {
    /// Of a token.
    Announced(Arc<Announcement>),
    /// How long work stands that somebody began.
    Operation {
        /// Who began it.
        uid: u32,
        /// How it stands.
        info: Arc<OperationInfo>,
    },
    /// That something was not told, and nothing more is.
    Lost,
}

/// What is to be done next for a subscriber.
#[derive(Debug, Clone)]
pub enum Next {
    /// It may be told something.
    Tell(Told),
    /// What its user may do has changed: whoever could not be told something may be told so now.
    Judge,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Told>,
    /// How many more may be sent before the subscriber has to say that it reads.
    left: usize,
    /// That something is lost is told, or waits to be; nothing more comes in until the subscriber subscribes again.
    over: bool,
    /// It has ended.
    closed: bool,
    judges: bool,
    /// What was taken last and is not paid for: whether it may still be told.
    taken: Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Nothing, or that something is lost.
    Nothing,
    /// Something that may be told.
    Valid,
    /// Something that was for somebody else.
    Dropped,
}

/// The mailbox of one subscriber.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<State>,
    filled: Notify,
}

impl Default for Mailbox {
    fn default() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            left: SIGNALS_MAX,
            over: false,
            closed: false,
            judges: false,
            taken: Taken::Nothing,
        };
        Self { state: Mutex::new(state), filled: Notify::new() }
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, or that it is lost. Never waits.
    pub fn put(&self, told: Told) {
        let mut state = self.state();
        if state.over || state.closed {
            return;
        }
        if state.waiting.len() < SIGNALS_MAX {
            state.waiting.push_back(told);
        } else {
            state.over = true;
            // Once says it, also where what follows it had no room either.
            if !matches!(state.waiting.back(), Some(Told::Lost)) {
                state.waiting.push_back(Told::Lost);
            }
        }
        self.filled.notify_one();
    }

    /// Drops what waits and what was taken and is not told yet, and has the subscriber told that it is lost: who it was for is not
    /// who hears of it now.
    pub fn drop_waiting(&self) {
        let mut state = self.state();
        if state.closed || state.waiting.is_empty() && state.taken != Taken::Valid {
            return;
        }
        state.lose();
        state.waiting.push_back(Told::Lost);
        self.filled.notify_one();
    }

    /// Has it asked anew what the subscriber's user may be told.
    pub fn judge(&self) {
        self.state().judges = true;
        self.filled.notify_one();
    }

    /// The subscriber has read what it was sent; whether the subscription goes on.
    pub fn renew(&self) -> bool {
        let mut state = self.state();
        // That something is lost keeps its place before what comes from here on.
        state.over = false;
        state.left = SIGNALS_MAX;
        !state.closed
    }

    /// Ends the subscription: nothing more is told, not even what waits.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
        self.filled.notify_one();
    }

    /// What is to be done next, as soon as there is something; `None` at the end.
    pub async fn take(&self) -> Option<Next> {
        loop {
            {
                let mut state = self.state();
                if state.closed {
                    return None;
                }
                if let Some(told) = state.waiting.pop_front() {
                    state.taken = if matches!(told, Told::Lost) { Taken::Nothing } else { Taken::Valid };
                    return Some(Next::Tell(told));
                }
                if std::mem::take(&mut state.judges) {
                    return Some(Next::Judge);
                }
            }
            self.filled.notified().await;
        }
    }

    /// Tells nothing of what was taken.
    pub fn pass_over(&self) {
        self.state().taken = Taken::Nothing;
    }

    /// Takes the place of what was taken and is sent now; false where there is none left or it was dropped meanwhile, and that is
    /// to be told instead.
    pub fn pay(&self) -> bool {
        let mut state = self.state();
        let taken = std::mem::replace(&mut state.taken, Taken::Nothing);
        if state.left == 0 || taken == Taken::Dropped {
            state.lose();
            return false;
        }
        state.left -= 1;
        true
    }

    /// Drops what waits; that something is lost is told from here on, and nothing more.
    pub fn lose(&self) {
        self.state().lose();
    }

    /// After it was told that something is lost: ends, where the subscriber has not subscribed again meanwhile. Whether it has
    /// ended.
    pub fn end(&self) -> bool {
        let mut state = self.state();
        state.closed |= state.over;
        state.closed
    }
}

impl State {
    fn lose(&mut self) {
        if self.taken == Taken::Valid {
            self.taken = Taken::Dropped;
        }
        self.waiting.clear();
        self.over = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told::Operation { uid: 7, info: Arc::default() }
    }

    /// What is sent of what waits, as it is delivered where all of it is meant: how much, and whether that something is lost.
    async fn sent(mailbox: &Mailbox) -> (usize, bool) {
        let mut count = 0;
        while !mailbox.state().waiting.is_empty() {
            let next = mailbox.take().await;
            if matches!(next, Some(Next::Tell(Told::Lost))) || !mailbox.pay() {
                return (count, true);
            }
            count += 1;
        }
        (count, false)
    }

    #[tokio::test]
    async fn who_does_not_say_that_it_reads_is_told_so_much_and_then_that_something_is_lost() {
        let mailbox = Mailbox::default();
        for number in 0..3 * SIGNALS_MAX {
            mailbox.put(told());
            assert!(mailbox.state().waiting.len() <= SIGNALS_MAX + 1, "{number}");
        }
        assert_eq!(sent(&mailbox).await, (SIGNALS_MAX, true));
        assert!(mailbox.end(), "nobody has subscribed again");
        assert!(!mailbox.renew(), "what has ended is not renewed");
        assert!(mailbox.take().await.is_none());
        // Whoever is quick to be sent something is sent no more of it.
        let mailbox = Mailbox::default();
        for number in 0..3 * SIGNALS_MAX {
            mailbox.put(told());
            let lost = number == SIGNALS_MAX;
            assert_eq!(sent(&mailbox).await, (usize::from(number < SIGNALS_MAX), lost), "{number}");
        }
    }

    #[tokio::test]
    async fn what_is_not_meant_for_it_costs_a_subscriber_nothing() {
        let mailbox = Mailbox::default();
        for _ in 0..SIGNALS_MAX {
            mailbox.put(told());
            assert!(matches!(mailbox.take().await, Some(Next::Tell(_))));
        }
        (0..SIGNALS_MAX).for_each(|_| mailbox.put(told()));
        assert_eq!(sent(&mailbox).await, (SIGNALS_MAX, false));
        mailbox.put(told());
        assert_eq!(sent(&mailbox).await, (0, true));
    }

    #[tokio::test]
    async fn who_says_so_is_told_everything_and_what_waits_is_still_bounded() {
        let mailbox = Mailbox::default();
        for _ in 0..10 * SIGNALS_MAX {
            mailbox.put(told());
            assert_eq!(sent(&mailbox).await, (1, false));
            assert!(mailbox.renew());
        }
        for _ in 0..3 * SIGNALS_MAX {
            mailbox.put(told());
            assert!(mailbox.renew());
        }
        assert_eq!(mailbox.state().waiting.len(), SIGNALS_MAX + 1);
    }

    #[tokio::test]
    async fn who_subscribes_again_before_it_has_read_of_its_loss_goes_on_behind_it() {
        let mailbox = Mailbox::default();
        (0..=SIGNALS_MAX).for_each(|_| mailbox.put(told()));
        assert!(mailbox.renew());
        for _ in 0..2 {
            assert!(matches!(mailbox.take().await, Some(Next::Tell(Told::Operation { .. }))));
            assert!(mailbox.pay());
        }
        mailbox.put(told());
        assert_eq!(sent(&mailbox).await, (SIGNALS_MAX - 2, true), "in the order in which it happened");
        assert!(!mailbox.end());
        mailbox.put(told());
        assert_eq!(sent(&mailbox).await, (0, true), "of what was sent since, nothing was read");
        assert!(mailbox.renew() && !mailbox.end());
    }

    #[tokio::test]
    async fn who_has_ended_it_is_told_nothing_more() {
        let mailbox = Mailbox::default();
        mailbox.put(told());
        mailbox.close();
        mailbox.put(told());
        mailbox.judge();
        assert!(mailbox.take().await.is_none());
    }

    #[tokio::test]
    async fn what_waited_for_somebody_else_is_lost_and_what_did_not_is_not() {
        let mailbox = Mailbox::default();
        mailbox.drop_waiting();
        mailbox.judge();
        assert!(matches!(mailbox.take().await, Some(Next::Judge)));
        (0..3).for_each(|_| mailbox.put(told()));
        mailbox.drop_waiting();
        assert_eq!(sent(&mailbox).await, (0, true));
    }

    #[tokio::test]
    async fn what_was_taken_for_somebody_else_and_is_not_told_yet_is_lost_as_well() {
        let mailbox = Mailbox::default();
        mailbox.put(told());
        assert!(matches!(mailbox.take().await, Some(Next::Tell(_))));
        mailbox.drop_waiting();
        assert!(!mailbox.pay(), "who hears of it now is another");
        assert!(mailbox.state().waiting.is_empty(), "it is told once that it is lost");
        // What was told before is not taken back, and what was not meant for it is no loss.
        for is_meant in [true, false] {
            let mailbox = Mailbox::default();
            mailbox.put(told());
            assert!(mailbox.take().await.is_some());
            if is_meant {
                assert!(mailbox.pay());
            } else {
                mailbox.pass_over();
            }
            mailbox.drop_waiting();
            assert!(mailbox.state().waiting.is_empty(), "{is_meant}");
        }
    }
}
