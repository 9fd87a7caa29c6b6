//! Descriptors that went out over the bus and may still lie in it.
//!
//! A bus counts the descriptors of replies that nobody has read against whoever sent them: at 64 (the default of
//! dbus-daemon) it takes nothing more from the daemon, and everyone behind one who does not read would wait. A pipe that was
//! read has arrived. One that was emptied because nobody read it may still lie there: it counts until a later one has
//! arrived at the same connection, or that connection is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::value::share;

/// Most descriptors on their way, all users together; a few less than the bus allows.
const MOST: usize = 48;

/// Number of a descriptor on its way.
pub(super) type PostId = u64;

struct Post {
    id: PostId,
    to: Arc<str>,
    sent: Instant,
    withdrawn: Option<Instant>,
}

/// The books of all users.
#[derive(Default)]
pub(super) struct Posts {
    users: HashMap<u32, Vec<Post>>,
    total: usize,
    last: PostId,
}

impl Posts {
    /// Counts one more to a connection of `uid`; `None` when it has as many as it may have.
    pub(super) fn send(&mut self, uid: u32, to: &Arc<str>, now: Instant) -> Option<PostId> {
        let own = self.users.get(&uid).map_or(0, Vec::len);
        if own >= share::fair(MOST, self.total - own) {
            return None;
        }
        self.last += 1;
        let post = Post { id: self.last, to: Arc::clone(to), sent: now, withdrawn: None };
        self.users.entry(uid).or_default().push(post);
        self.total += 1;
        Some(self.last)
    }

    /// It has arrived, and so has what was sent to the same connection long before.
    pub(super) fn arrived(&mut self, uid: u32, id: PostId) {
        let Some(arrived) = self.users.get(&uid).and_then(|posts| posts.iter().find(|post| post.id == id)) else {
            return;
        };
        let (to, sent) = (Arc::clone(&arrived.to), arrived.sent);
        self.keep(uid, |post| {
            post.id != id && !(post.to == to && post.withdrawn.is_some_and(|withdrawn| withdrawn < sent))
        });
    }

    /// It never went out.
    pub(super) fn cancel(&mut self, uid: u32, id: PostId) {
        self.keep(uid, |post| post.id != id);
    }

    /// Its pipe was emptied, wherever it is.
    pub(super) fn withdraw(&mut self, uid: u32, id: PostId, now: Instant) {
        let posts = self.users.get_mut(&uid).into_iter().flatten();
        posts.filter(|post| post.id == id).for_each(|post| post.withdrawn = Some(now));
    }

    /// Connections that may be gone: something to them was not read in time.
    pub(super) fn doubtful(&self) -> Vec<Arc<str>> {
        let withdrawn = self.users.values().flatten().filter(|post| post.withdrawn.is_some());
        let mut connections: Vec<Arc<str>> = withdrawn.map(|post| Arc::clone(&post.to)).collect();
        connections.sort_unstable();
        connections.dedup();
        connections
    }

    /// A connection is gone, and with it all that was on its way to it.
    pub(super) fn forget(&mut self, to: &str) {
        let uids: Vec<u32> = self.users.keys().copied().collect();
        uids.into_iter().for_each(|uid| self.keep(uid, |post| *post.to != *to));
    }

    /// The bus is gone.
    pub(super) fn forget_all(&mut self) {
        (self.users, self.total) = (HashMap::new(), 0);
    }

    fn keep(&mut self, uid: u32, kept: impl Fn(&Post) -> bool) {
        let Some(posts) = self.users.get_mut(&uid) else { return };
        let before = posts.len();
        posts.retain(kept);
        self.total -= before - posts.len();
        if posts.is_empty() {
            self.users.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn all(posts: &mut Posts, uid: u32, to: &Arc<str>, now: Instant) -> Vec<PostId> {
        std::iter::from_fn(|| posts.send(uid, to, now)).collect()
    }

    #[test]
    fn whoever_reads_nothing_leaves_half_for_the_next() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        let counts = [1000, 1001, 1002].map(|uid| all(&mut posts, uid, &":1.7".into(), now).len());
        assert_eq!(counts, [24, 12, 6]);
    }

    #[test]
    fn what_was_withdrawn_counts_until_a_later_one_has_arrived() {
        let (mut posts, start) = (Posts::default(), Instant::now());
        let (slow, other): (Arc<str>, Arc<str>) = (":1.7".into(), ":1.8".into());
        let sent: Vec<PostId> = (0..4).map(|_| posts.send(7, &slow, start).unwrap()).collect();
        let elsewhere = posts.send(7, &other, start).unwrap();
        for id in &sent {
            posts.withdraw(7, *id, start + Duration::from_secs(5));
        }
        posts.arrived(7, elsewhere);
        assert_eq!((posts.total, posts.doubtful()), (4, vec![Arc::clone(&slow)]), "another connection says nothing");
        let beside = posts.send(7, &slow, start + Duration::from_secs(1)).unwrap();
        posts.arrived(7, beside);
        assert_eq!(posts.total, 4, "what was sent before they were withdrawn may have overtaken them");
        let later = posts.send(7, &slow, start + Duration::from_secs(6)).unwrap();
        posts.arrived(7, later);
        assert_eq!((posts.total, posts.users.len()), (0, 0));
    }

    #[test]
    fn what_was_on_its_way_to_a_connection_goes_with_it() {
        let (mut posts, now) = (Posts::default(), Instant::now());
        all(&mut posts, 7, &":1.7".into(), now);
        let kept = posts.send(8, &":1.8".into(), now).unwrap();
        posts.forget(":1.7");
        assert_eq!(posts.total, 1);
        posts.cancel(8, kept);
        posts.cancel(8, kept);
        assert_eq!(posts.total, 0);
    }
}
