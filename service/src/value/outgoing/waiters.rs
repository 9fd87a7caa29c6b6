//! Calls that wait in line for something, and are woken when it is given to them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

/// How long a call waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls in the order they came.
pub(super) struct Waiters<T>(VecDeque<Sender<T>>);

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Waiters<T> {
    /// Calls that wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no call waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more, behind the others.
    pub(super) fn add(&mut self) -> Receiver<T> {
        let (call, given) = oneshot::channel();
        self.0.push_back(call);
        given
    }

    /// Gives it to the first that is still there; whether there was one.
    pub(super) fn give(&mut self, mut what: T) -> bool {
        while let Some(call) = self.0.pop_front() {
            match call.send(what) {
                Ok(()) => return true,
                Err(back) => what = back,
            }
        }
        false
    }

    /// Forgets those in front that wait no more. All wait equally long, so few are behind one that does.
    pub(super) fn forget_gone(&mut self) {
        while self.0.front().is_some_and(Sender::is_closed) {
            self.0.pop_front();
        }
    }
}

/// Waits for what is given to a call, but not for long. However else that ends, `leave` hears of it, with what was given in the
/// last moment; nothing will be any more.
pub(super) async fn wait<T>(given: Receiver<T>, leave: impl FnOnce(Option<T>)) -> Option<T> {
    let mut waiting = Waiting { given, leave: Some(leave) };
    let given = timeout(PATIENCE, &mut waiting.given).await.ok()?.ok()?;
    waiting.leave = None;
    Some(given)
}

/// A call that waits.
struct Waiting<T, F: FnOnce(Option<T>)> {
    given: Receiver<T>,
    leave: Option<F>,
}

impl<T, F: FnOnce(Option<T>)> Drop for Waiting<T, F> {
    fn drop(&mut self) {
        self.given.close();
        if let Some(leave) = self.leave.take() {
            leave(self.given.try_recv().ok());
        }
    }
}
