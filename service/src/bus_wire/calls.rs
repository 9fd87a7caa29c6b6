//! Calls of the bus that were taken and have no reply yet.
//!
//! zbus gives each call a task of its own, and a reply that cannot be written keeps its task. So there is a bound: with so
//! many calls unanswered the reader takes nothing more from the bus until some are. And the large ones may together hold
//! only so much: they are refused rather than waited for, so that whoever sends them keeps nobody's small ones waiting.
//!
//! Every call is made to ask for a reply, so that all can be counted; one that was not wanted goes no further than the
//! writer.

use tokio::sync::watch;
use zbus::Message;
use zbus::names::BusName;

use crate::message::header::Header;

/// Calls without a reply: more than the vault works on at one time (`in-flight-total`), so that its own refusals come first.
const MOST: usize = 8192;
/// A call that is longer is a large one.
const LARGE: usize = 4096;
/// Bytes of the large ones.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Whether a call was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// The large calls hold all they may.
    TooMuch,
    /// No more calls are taken.
    Closed,
}

/// What becomes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Landing {
    bytes: usize,
    /// The caller asked for no reply.
    pub(super) swallow: bool,
}

/// A call that is large or wants no reply. There are mostly none, so replies are mostly not looked up.
#[derive(Debug)]
struct Special {
    serial: u32,
    caller: Option<String>,
    landing: Landing,
}

#[derive(Debug, Default)]
struct State {
    unanswered: usize,
    bytes: usize,
    closed: bool,
    special: Vec<Special>,
}

/// The calls of one connection.
#[derive(Debug, Default)]
pub(super) struct Calls {
    state: watch::Sender<State>,
}

impl Calls {
    /// Counts a call, as soon as there is room for one.
    pub(super) async fn take(&self, header: &Header, call: &Message) -> Taken {
        loop {
            let mut taken = None;
            self.change(|state| {
                taken = state.take(header, call);
                false
            });
            if let Some(taken) = taken {
                return taken;
            }
            // It cannot fail: the sender is here.
            let _ = self.state.subscribe().wait_for(|state| state.closed || state.unanswered < MOST).await;
        }
    }

    /// Counts a call that is small and wants a reply, if there is room for one now; until what this gives is dropped.
    pub(super) fn take_small(&self) -> Option<SmallCall<'_>> {
        let mut taken = false;
        self.change(|state| {
            taken = !state.closed && state.unanswered < MOST;
            state.unanswered += usize::from(taken);
            false
        });
        taken.then(|| SmallCall(self))
    }

    /// What to do with a reply.
    pub(super) fn look_up(&self, reply: &Message) -> Landing {
        let mut landing = Landing { bytes: 0, swallow: false };
        self.change(|state| {
            if !state.special.is_empty() {
                landing = state.take_special(reply).unwrap_or(landing);
            }
            false
        });
        landing
    }

    /// The reply is written, or never will be.
    pub(super) fn land(&self, landing: Landing) {
        self.change(|state| {
            state.unanswered = state.unanswered.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub(landing.bytes);
            // Somebody may be waiting only for these.
            state.unanswered == MOST - 1 || state.closed
        });
    }

    /// Takes no more calls, and waits until those that were taken have their replies.
    pub(super) async fn settle(&self) {
        self.change(|state| {
            state.closed = true;
            true
        });
        let _ = self.state.subscribe().wait_for(|state| state.unanswered == 0).await;
    }

    /// `change` says whether who waits is to look again.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        self.state.send_if_modified(change);
    }
}

/// A small call without a reply.
pub(super) struct SmallCall<'a>(&'a Calls);

impl Drop for SmallCall<'_> {
    fn drop(&mut self) {
        self.0.land(Landing { bytes: 0, swallow: false });
    }
}

impl State {
    /// Whether a call is taken; `None` while there is no room.
    fn take(&mut self, header: &Header, call: &Message) -> Option<Taken> {
        if self.closed {
            return Some(Taken::Closed);
        }
        if self.unanswered >= MOST {
            return None;
        }
        let bytes = if header.len > LARGE { header.len } else { 0 };
        if self.bytes + bytes > MOST_BYTES {
            return Some(Taken::TooMuch);
        }
        self.unanswered += 1;
        self.bytes += bytes;
        if bytes > 0 || header.no_reply {
            let caller = call.header().sender().map(ToString::to_string);
            let landing = Landing { bytes, swallow: header.no_reply };
            self.special.push(Special { serial: header.serial, caller, landing });
        }
        Some(Taken::Yes)
    }

    fn take_special(&mut self, reply: &Message) -> Option<Landing> {
        let header = reply.header();
        let serial = header.reply_serial()?.get();
        let caller = header.destination().and_then(|name| match name {
            BusName::Unique(name) => Some(name.as_str()),
            BusName::WellKnown(_) => None,
        });
        let is_it = |special: &Special| special.serial == serial && special.caller.as_deref() == caller;
        let at = self.special.iter().position(is_it)?;
        Some(self.special.swap_remove(at).landing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of `len` bytes by what its header says, and its reply.
    fn call(sender: &str, serial: u32, len: usize, no_reply: bool) -> (Header, Message, Message) {
        let call = Message::method_call("/a", "B").sender(sender).build(&()).unwrap();
        let header = Header::measure(call.data().bytes()).unwrap().unwrap();
        let call =
            Message::method_call("/a", "B").sender(sender).serial(serial.try_into().unwrap()).build(&()).unwrap();
        let reply = Message::method_return(&call.header()).build(&()).unwrap();
        (Header { len, no_reply, serial, ..header }, call, reply)
    }

    async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        tokio::select! {
            biased;
            output = &mut future => Some(output),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn a_reply_that_was_not_wanted_is_known_by_its_caller_too() {
        let calls = Calls::default();
        let (mine, my_call, my_reply) = call(":1.1", 7, 100, true);
        let (theirs, their_call, their_reply) = call(":1.2", 7, 100, false);
        assert_eq!(calls.take(&mine, &my_call).await, Taken::Yes);
        assert_eq!(calls.take(&theirs, &their_call).await, Taken::Yes);
        assert!(!calls.look_up(&their_reply).swallow);
        assert!(calls.look_up(&my_reply).swallow);
        assert!(!calls.look_up(&my_reply).swallow, "there was one");
    }

    #[tokio::test]
    async fn calls_wait_when_too_many_are_unanswered() {
        let calls = Calls::default();
        let (header, message, reply) = call(":1.1", 7, 100, false);
        for _ in 0..MOST {
            assert_eq!(now(calls.take(&header, &message)).await, Some(Taken::Yes));
        }
        let mut waiting = std::pin::pin!(calls.take(&header, &message));
        assert_eq!(now(&mut waiting).await, None);
        calls.land(calls.look_up(&reply));
        assert_eq!(waiting.await, Taken::Yes);
    }

    #[tokio::test]
    async fn large_calls_are_refused_when_they_hold_too_much_and_small_ones_are_not() {
        let calls = Calls::default();
        let (large, message, reply) = call(":1.1", 7, 256 * 1024, false);
        let (small, small_message, _) = call(":1.1", 8, 100, false);
        for _ in 0..MOST_BYTES / large.len {
            assert_eq!(calls.take(&large, &message).await, Taken::Yes);
        }
        assert_eq!(calls.take(&large, &message).await, Taken::TooMuch);
        assert_eq!(calls.take(&small, &small_message).await, Taken::Yes);
        calls.land(calls.look_up(&reply));
        assert_eq!(calls.take(&large, &message).await, Taken::Yes);
    }

    #[tokio::test]
    async fn what_settles_waits_for_every_reply_and_takes_nothing_more() {
        let calls = Calls::default();
        let (header, message, reply) = call(":1.1", 7, 100, true);
        assert_eq!(calls.take(&header, &message).await, Taken::Yes);
        let mut settling = std::pin::pin!(calls.settle());
        assert_eq!(now(&mut settling).await, None);
        assert_eq!(calls.take(&header, &message).await, Taken::Closed);
        calls.land(calls.look_up(&reply));
        settling.await;
    }
}
