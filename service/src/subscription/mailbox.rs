//! What waits to be told to one subscriber.
//!
//! Only so much is ever under way to somebody: what nobody has said to have read counts, wherever it lies, here, in a socket or in
//! the bus. Past that the subscriber is told that something is lost, and nothing more. So whoever does not read holds a few
//! messages and delays nobody.

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

#[derive(Debug)]
struct State {
    waiting: VecDeque<Told>,
    /// How many more may be sent before the subscriber has to say that it reads.
    left: usize,
    over: bool,
}

/// The mailbox of one subscriber.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<State>,
    filled: Notify,
}

impl Default for Mailbox {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), left: SIGNALS_MAX, over: false };
        Self { state: Mutex::new(state), filled: Notify::new() }
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in, or that it is lost. Never waits; whether the subscription goes on.
    pub fn put(&self, told: Told) -> bool {
        let mut state = self.state();
        if state.over {
            return false;
        }
        let told = if state.left == 0 { Told::Lost } else { told };
        state.over = matches!(told, Told::Lost);
        state.left = state.left.saturating_sub(1);
        state.waiting.push_back(told);
        self.filled.notify_one();
        !state.over
    }

    /// The subscriber has read what it was sent; whether the subscription goes on.
    pub fn renew(&self) -> bool {
        let mut state = self.state();
        state.left = SIGNALS_MAX.saturating_sub(state.waiting.len());
        !state.over
    }

    /// Ends the subscription: nothing more is told, not even what waits.
    pub fn close(&self) {
        let mut state = self.state();
        state.over = true;
        state.waiting.clear();
        self.filled.notify_one();
    }

    /// The next thing to tell, as soon as there is one; `None` at the end.
    pub async fn take(&self) -> Option<Told> {
        loop {
            {
                let mut state = self.state();
                if let Some(told) = state.waiting.pop_front() {
                    return Some(told);
                }
                if state.over {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told::Operation { uid: 7, info: Arc::default() }
    }

    async fn taken(mailbox: &Mailbox) -> (usize, bool) {
        let (mut count, mut lost) = (0, false);
        while let Some(told) = mailbox.take().await {
            count += 1;
            lost = matches!(told, Told::Lost);
        }
        (count, lost)
    }

    #[tokio::test]
    async fn who_does_not_say_that_it_reads_is_told_so_much_and_then_that_something_is_lost() {
        let mailbox = Mailbox::default();
        for number in 0..3 * SIGNALS_MAX {
            assert_eq!(mailbox.put(told()), number < SIGNALS_MAX, "{number}");
        }
        assert!(!mailbox.renew(), "what is over is not renewed");
        assert_eq!(taken(&mailbox).await, (SIGNALS_MAX + 1, true));
    }

    #[tokio::test]
    async fn who_says_so_is_told_everything_and_what_waits_is_still_bounded() {
        let mailbox = Mailbox::default();
        for _ in 0..10 * SIGNALS_MAX {
            assert!(mailbox.put(told()));
            assert!(matches!(mailbox.take().await, Some(Told::Operation { .. })));
            assert!(mailbox.renew());
        }
        while mailbox.put(told()) {
            assert!(mailbox.renew() || mailbox.state().over);
        }
        assert_eq!(mailbox.state().waiting.len(), SIGNALS_MAX + 1);
    }

    #[tokio::test]
    async fn who_has_ended_it_is_told_nothing_more() {
        let mailbox = Mailbox::default();
        mailbox.put(told());
        mailbox.close();
        assert!(!mailbox.put(told()));
        assert!(mailbox.take().await.is_none());
    }
}
