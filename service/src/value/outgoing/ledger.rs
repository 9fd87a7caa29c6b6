//! Whose pipes are unread, how many, how big, since when. Decides who gets another one.
//!
//! Everyone who sends waits for this lock: no method looks at more than one pipe, and none closes any.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::PipeLimits;
use super::bus::{BusBooks, PlaceId};
use super::quota::{Claimed, Quota};
use crate::sys::pipe;
use crate::value::portion;

/// Above this many unread pipes, new ones are made as small as they can be: the kernel counts the room of all pipes of
/// the daemon's uid and gives out crippled ones when it runs out.
const CROWDED: usize = 512;

/// A pipe that was written and may be unread.
pub(super) struct Held {
    /// Our descriptor of the read end.
    pub(super) pipe: OwnedFd,
    /// Bytes it counts for.
    pub(super) cost: usize,
    /// Bytes unread when it was last looked at.
    pub(super) left: usize,
    /// When to empty it, unless the reader makes progress.
    pub(super) withdraw_at: Instant,
    /// Its place on the bus, until it has arrived.
    pub(super) place: Option<PlaceId>,
}

/// Where a pipe is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// Its reader has it.
    Arrived,
    /// It may lie in the bus.
    OnBus,
}

impl Queue {
    pub(super) const ALL: [Self; 2] = [Self::Arrived, Self::OnBus];
}

/// What a look at a pipe showed.
pub(super) enum Looked {
    /// There is none.
    Nothing,
    /// Unread, and in time.
    Waits,
    /// It was read. To be closed, without the lock.
    Read(OwnedFd),
    /// Unread for too long; out of the books, but for its place on the bus.
    Overdue(Held),
}

/// What a pipe was let in with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted {
    /// Bytes it counts for.
    pub(super) cost: usize,
    /// Whether pipes are getting scarce.
    pub(super) crowded: bool,
    /// How long its reader may make no progress.
    pub(super) patience: Duration,
}

#[derive(Default)]
struct Holder {
    arrived: VecDeque<Held>,
    on_bus: VecDeque<Held>,
    quota: Quota,
    /// Bytes of its pipes, those included that are just being made.
    bytes: usize,
}

impl Holder {
    const fn queue(&mut self, queue: Queue) -> &mut VecDeque<Held> {
        match queue {
            Queue::Arrived => &mut self.arrived,
            Queue::OnBus => &mut self.on_bus,
        }
    }

    fn keep(&mut self, held: Held) {
        let queue = if held.place.is_some() { Queue::OnBus } else { Queue::Arrived };
        self.queue(queue).push_back(held);
    }
}

/// The books of all uids.
pub(super) struct Ledger {
    limits: PipeLimits,
    pub(super) bus: BusBooks,
    holders: HashMap<u32, Holder>,
    count: usize,
    bytes: usize,
}

impl Ledger {
    pub(super) fn new(limits: PipeLimits) -> Self {
        Self { limits, bus: BusBooks::default(), holders: HashMap::new(), count: 0, bytes: 0 }
    }

    /// Puts other limits in force.
    pub(super) fn set_limits(&mut self, limits: PipeLimits) {
        self.limits = limits;
        self.holders.values_mut().for_each(|holder| holder.quota.set_most(limits.per_uid));
    }

    /// Forgets a uid of which there is nothing: who calls and gets nothing need not be a user, and there are many such uids.
    pub(super) fn forget_if_idle(&mut self, uid: u32) {
        if self.holders.get(&uid).is_some_and(|holder| holder.quota.is_idle()) {
            self.holders.remove(&uid);
        }
    }

    /// A uid's quota of pipes.
    pub(super) fn quota(&mut self, uid: u32) -> &mut Quota {
        &mut self.holder(uid).quota
    }

    /// Whose calls wait until they may claim a pipe.
    pub(super) fn with_calls_waiting(&self) -> Vec<u32> {
        self.holders.iter().filter(|(_, holder)| holder.quota.is_waited_for()).map(|(uid, _)| *uid).collect()
    }

    /// Counts one more pipe of `cost` bytes for `uid`, if it may have one more.
    pub(super) fn admit(&mut self, uid: u32, cost: usize, claimed: Claimed) -> Option<Admitted> {
        let (total, limits) = (self.bytes, self.limits);
        let crowded = self.count > CROWDED;
        let holder = self.holder(uid);
        if holder.bytes + cost > portion::fair(limits.bytes, total - holder.bytes) || !holder.quota.add(claimed) {
            return None;
        }
        holder.bytes += cost;
        self.count += 1;
        self.bytes += cost;
        Some(Admitted { cost, crowded, patience: limits.withdraw_after })
    }

    /// Gives back what [`Ledger::admit`] counted.
    pub(super) fn release(&mut self, uid: u32, cost: usize) {
        self.count -= 1;
        self.bytes -= cost;
        if let Some(holder) = self.holders.get_mut(&uid) {
            holder.bytes -= cost;
            holder.quota.remove();
        }
    }

    /// Keeps a pipe in the room counted for it.
    pub(super) fn hold(&mut self, uid: u32, held: Held) {
        self.holder(uid).keep(held);
    }

    /// Takes a pipe out of its queue, still counted, to be looked at without the lock.
    pub(super) fn take_out(&mut self, uid: u32, queue: Queue) -> Option<Held> {
        self.holders.get_mut(&uid)?.queue(queue).pop_front()
    }

    /// Nobody has this pipe any more.
    pub(super) fn forget(&mut self, uid: u32, cost: usize, place: Option<PlaceId>) {
        self.release(uid, cost);
        if let Some(place) = place {
            self.bus.let_go(uid, place);
        }
    }

    /// Looks at one pipe of a uid, in turns of either kind; what was read is to be closed without the lock.
    pub(super) fn look(&mut self, uid: u32, turn: usize) -> Looked {
        let [mut first, mut second] = Queue::ALL;
        if turn % 2 == 1 {
            std::mem::swap(&mut first, &mut second);
        }
        match self.look_for_read(uid, first) {
            Looked::Nothing => self.look_for_read(uid, second),
            looked => looked,
        }
    }

    /// Looks at one pipe of a uid that is not to be taken back yet.
    pub(super) fn look_for_read(&mut self, uid: u32, queue: Queue) -> Looked {
        let Some(held) = self.take_out(uid, queue) else { return Looked::Nothing };
        if pipe::waiting(&held.pipe).unwrap_or(0) > 0 {
            self.hold(uid, held);
            return Looked::Waits;
        }
        self.forget(uid, held.cost, held.place);
        Looked::Read(held.pipe)
    }

    /// Looks at the next pipe of a queue; those still unread go to its back, so that every one comes up.
    pub(super) fn look_at_next(&mut self, uid: u32, queue: Queue, now: Instant) -> Looked {
        let Some(mut held) = self.take_out(uid, queue) else { return Looked::Nothing };
        let unread = pipe::waiting(&held.pipe).unwrap_or(0);
        if unread == 0 {
            self.forget(uid, held.cost, held.place);
            return Looked::Read(held.pipe);
        }
        if unread < held.left {
            held.left = unread;
            held.withdraw_at = now + self.limits.withdraw_after;
            // Whoever reads a part of it has it.
            if let Some(place) = held.place.take() {
                self.bus.let_go(uid, place);
            }
        }
        if now < held.withdraw_at {
            self.hold(uid, held);
            return Looked::Waits;
        }
        self.release(uid, held.cost);
        Looked::Overdue(held)
    }

    /// Time without progress after which a pipe is emptied.
    pub(super) const fn patience(&self) -> Duration {
        self.limits.withdraw_after
    }

    /// Who has pipes, or calls that may make one.
    pub(super) fn uids(&self) -> Vec<u32> {
        self.holders.keys().copied().collect()
    }

    /// Pipes in a queue.
    pub(super) fn queued(&mut self, uid: u32, queue: Queue) -> usize {
        self.holders.get_mut(&uid).map_or(0, |holder| holder.queue(queue).len())
    }

    /// Forgets uids without pipes and without calls that may make one. Whether nobody has one that may be unread.
    pub(super) fn forget_idle(&mut self) -> bool {
        self.holders.retain(|_, holder| !holder.quota.is_idle());
        self.holders.values().all(|holder| holder.arrived.is_empty() && holder.on_bus.is_empty())
    }

    fn holder(&mut self, uid: u32) -> &mut Holder {
        let most = self.limits.per_uid;
        self.holders.entry(uid).or_insert_with(|| Holder { quota: Quota::new(most), ..Holder::default() })
    }

    /// Unread pipes and bytes.
    #[cfg(test)]
    pub(super) const fn totals(&self) -> (usize, usize) {
        (self.count, self.bytes)
    }
}
