//! How many pipes one uid may have unread, who has claimed one that is not made yet, and who waits to.

use tokio::sync::oneshot::Receiver;

use super::waiters::Waiters;

/// Whether a call had claimed the pipe it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {
    /// It has a claim, which becomes the pipe.
    Yes,
    /// It takes what nobody has claimed.
    No,
}

/// The pipes of one uid.
#[derive(Default)]
pub(super) struct Quota {
    /// As many as it may have; 0: no limit.
    most: usize,
    /// Those there are, or that are just being made.
    pipes: usize,
    /// Claims that have not become pipes.
    claimed: usize,
    /// Claims that have, and whose calls still hold them.
    spent: usize,
    waiting: Waiters<()>,
    /// A call has waited for a claim in vain, and nothing was let go since.
    vain: bool,
}

impl Quota {
    /// For at most so many; 0: for any number.
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// For another number from now on; claims stay.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
        self.give_out();
    }

    /// Counts a pipe, if there is room for it.
    pub(super) fn add(&mut self, claimed: Claimed) -> bool {
        if claimed == Claimed::Yes && self.claimed > 0 {
            self.claimed -= 1;
            self.spent += 1;
        } else if !self.is_free() {
            return false;
        }
        self.pipes += 1;
        true
    }

    /// A pipe is there no more.
    pub(super) fn remove(&mut self) {
        self.pipes = self.pipes.saturating_sub(1);
        self.give_out();
    }

    /// Claims a pipe, if there is room for it and no call came before.
    pub(super) fn claim(&mut self) -> bool {
        let free = self.is_free();
        self.claimed += usize::from(free);
        free
    }

    /// A call gives its claim back. Whose claim became a pipe is not known: any of them has.
    pub(super) fn let_go(&mut self) {
        if self.spent > 0 {
            self.spent -= 1;
            return;
        }
        self.claimed = self.claimed.saturating_sub(1);
        self.give_out();
    }

    /// Whether a call has just waited in vain: others need not.
    pub(super) const fn is_stuck(&self) -> bool {
        self.vain
    }

    /// Has a call wait until a claim is given to it.
    pub(super) fn wait(&mut self) -> Receiver<()> {
        let claim = self.waiting.add();
        // One may have become free since it was asked for, and nobody else may say so.
        self.give_out();
        claim
    }

    /// A call does not wait any more, and has no claim.
    pub(super) fn stop_waiting(&mut self) {
        self.waiting.forget_gone();
        self.vain = !self.has_room();
    }

    /// Whether calls wait.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.pipes == 0 && self.claimed == 0 && self.spent == 0 && self.waiting.is_empty()
    }

    fn is_free(&self) -> bool {
        self.waiting.is_empty() && self.has_room()
    }

    const fn has_room(&self) -> bool {
        self.most == 0 || self.pipes + self.claimed < self.most
    }

    fn give_out(&mut self) {
        self.vain &= !self.has_room();
        while self.has_room() && self.waiting.give(()) {
            self.claimed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_nobody_else_gets() {
        let mut quota = Quota::new(2);
        assert!(quota.add(Claimed::No) && quota.claim());
        assert!(!quota.claim() && !quota.add(Claimed::No));
        assert!(quota.add(Claimed::Yes), "the claim becomes the pipe");
        assert!(!quota.add(Claimed::Yes), "there is one pipe for each claim");
        quota.remove();
        assert!(quota.add(Claimed::No), "a claim that has become a pipe takes no room of its own");
        quota.remove();
        quota.let_go();
        assert!(quota.claim());
        assert!(!quota.is_idle());
        quota.let_go();
        quota.remove();
        assert!(quota.is_idle());
    }

    #[test]
    fn a_claim_holds_whatever_the_limit_becomes() {
        let mut quota = Quota::new(2);
        assert!(quota.claim() && quota.claim());
        quota.set_most(1);
        assert!(quota.add(Claimed::Yes) && quota.add(Claimed::Yes));
        quota.let_go();
        assert!(!quota.claim());
    }

    #[test]
    fn after_one_has_waited_in_vain_nobody_need_until_something_is_let_go() {
        let mut quota = Quota::new(1);
        assert!(quota.claim() && !quota.is_stuck());
        drop(quota.wait());
        quota.stop_waiting();
        assert!(quota.is_stuck() && !quota.claim());
        quota.let_go();
        assert!(!quota.is_stuck() && quota.claim());
    }

    #[test]
    fn claims_are_given_in_the_order_they_were_waited_for() {
        let mut quota = Quota::new(1);
        assert!(quota.add(Claimed::No));
        let [mut first, gone, mut last] = [(); 3].map(|()| quota.wait());
        drop(gone);
        quota.remove();
        assert!(first.try_recv().is_ok() && last.try_recv().is_err());
        assert!(!quota.claim() && !quota.add(Claimed::No), "who comes later comes later");
        quota.let_go();
        assert!(last.try_recv().is_ok() && !quota.is_waited_for());
        quota.let_go();
        assert!(quota.is_idle());
    }

    #[test]
    fn who_waits_no_more_is_in_nobodys_way() {
        let mut quota = Quota::new(1);
        assert!(quota.claim());
        drop(quota.wait());
        assert!(quota.is_waited_for());
        quota.stop_waiting();
        assert!(!quota.is_waited_for());
        quota.let_go();
        assert!(quota.claim());
    }

    #[test]
    fn more_room_is_given_to_who_waits_for_it() {
        let mut quota = Quota::new(1);
        assert!(quota.claim());
        let [mut first, mut second] = [(); 2].map(|()| quota.wait());
        quota.set_most(2);
        assert!(first.try_recv().is_ok() && second.try_recv().is_err());
        quota.set_most(0);
        assert!(second.try_recv().is_ok());
        assert!((0..1000).all(|_| quota.claim() && quota.add(Claimed::Yes)));
    }
}
