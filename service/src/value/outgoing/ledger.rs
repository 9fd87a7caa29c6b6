//! Whose pipes are unread, how many, how big, since when. Decides who gets another one.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::PipeLimits;
use super::posts::{PostId, Posts};
use crate::sys::pipe;
use crate::value::share;

/// Old pipes looked at for each new one. More than one, so that those that were read go faster than new ones come.
const LOOKS_PER_SEND: usize = 2;

/// Old pipes looked at for a uid at its limit, in turns: some of them may have been read behind one that was not.
const LOOKS_AT_LIMIT: usize = 32;

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
    pub(super) post: Option<PostId>,
}

impl Held {
    fn unread(&self) -> usize {
        pipe::waiting(&self.pipe).unwrap_or(0)
    }
}

#[derive(Default)]
struct Holder {
    held: VecDeque<Held>,
    /// Pipes and bytes, those included that are just being made.
    count: usize,
    bytes: usize,
}

/// The books of all uids.
#[derive(Default)]
pub(super) struct Ledger {
    holders: HashMap<u32, Holder>,
    count: usize,
    bytes: usize,
    pub(super) posts: Posts,
}

impl Ledger {
    /// Counts one more descriptor on its way to `uid`. Pipes found read are moved to `read`, to be closed.
    pub(super) fn post(&mut self, uid: u32, read: &mut Vec<OwnedFd>) -> Option<PostId> {
        self.posts.send(uid).or_else(|| {
            self.let_go_of_read(uid, LOOKS_AT_LIMIT, read);
            self.posts.let_go_of_closed();
            self.posts.send(uid)
        })
    }

    /// Counts one more pipe of `cost` bytes for `uid`, or refuses. Pipes found read are moved to `read`, to be closed.
    pub(super) fn admit(&mut self, uid: u32, cost: usize, limits: &PipeLimits, read: &mut Vec<OwnedFd>) -> bool {
        self.let_go_of_read(uid, LOOKS_PER_SEND, read);
        if !self.has_room(uid, cost, limits) {
            self.let_go_of_read(uid, LOOKS_AT_LIMIT, read);
            if !self.has_room(uid, cost, limits) {
                return false;
            }
        }
        let holder = self.holders.entry(uid).or_default();
        holder.count += 1;
        holder.bytes += cost;
        self.count += 1;
        self.bytes += cost;
        true
    }

    /// Gives back what [`Ledger::admit`] counted.
    pub(super) fn release(&mut self, uid: u32, cost: usize) {
        self.count -= 1;
        self.bytes -= cost;
        if let Some(holder) = self.holders.get_mut(&uid) {
            holder.count -= 1;
            holder.bytes -= cost;
        }
    }

    /// Keeps a pipe in the place counted for it.
    pub(super) fn hold(&mut self, uid: u32, held: Held) {
        self.holders.entry(uid).or_default().held.push_back(held);
    }

    /// Unread pipes and bytes.
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.count, self.bytes)
    }

    /// Looks at every pipe: those read go to `read`, those without progress for `patience` to `overdue`. Whether none is left.
    pub(super) fn sweep_all(
        &mut self,
        patience: Duration,
        read: &mut Vec<OwnedFd>,
        overdue: &mut Vec<(u32, Held)>,
    ) -> bool {
        let now = Instant::now();
        let mut gone = Vec::new();
        for (uid, holder) in &mut self.holders {
            for _ in 0..holder.held.len() {
                let Some(mut held) = holder.held.pop_front() else { break };
                let unread = held.unread();
                if unread > 0 && unread < held.left {
                    held.left = unread;
                    held.withdraw_at = now + patience;
                    // Whoever reads a part of it has it.
                    held.post.take().into_iter().for_each(|post| self.posts.let_go(*uid, post));
                }
                if unread > 0 && now < held.withdraw_at {
                    holder.held.push_back(held);
                    continue;
                }
                gone.push((*uid, held.cost));
                if unread > 0 {
                    overdue.push((*uid, held));
                    continue;
                }
                held.post.into_iter().for_each(|post| self.posts.let_go(*uid, post));
                read.push(held.pipe);
            }
        }
        for (uid, cost) in gone {
            self.release(uid, cost);
        }
        self.holders.retain(|_, holder| holder.count > 0);
        self.holders.values().all(|holder| holder.held.is_empty())
    }

    /// Looks at up to `looks` pipes of a uid; those still unread go to the back of its queue, so that every one comes up.
    fn let_go_of_read(&mut self, uid: u32, looks: usize, read: &mut Vec<OwnedFd>) {
        let Some(holder) = self.holders.get_mut(&uid) else { return };
        let mut freed = Vec::new();
        for _ in 0..looks.min(holder.held.len()) {
            let Some(held) = holder.held.pop_front() else { break };
            if held.unread() == 0 {
                freed.push(held.cost);
                held.post.into_iter().for_each(|post| self.posts.let_go(uid, post));
                read.push(held.pipe);
            } else {
                holder.held.push_back(held);
            }
        }
        for cost in freed {
            self.release(uid, cost);
        }
    }

    fn has_room(&self, uid: u32, cost: usize, limits: &PipeLimits) -> bool {
        let (count, own) = self.holders.get(&uid).map_or((0, 0), |holder| (holder.count, holder.bytes));
        let others = self.bytes - own;
        (limits.per_uid == 0 || count < limits.per_uid) && own + cost <= share::fair(limits.bytes, others)
    }
}
