//! Descriptors that went out over the bus and may still lie in it.
//!
//! A bus counts the descriptors of replies that nobody has read against whoever sent them: at 64 (the default of
//! dbus-daemon) it takes nothing more from the daemon, and everyone behind one who does not read would wait. A pipe of which
//! something was read has arrived. One that was emptied because nobody read it may still lie there: it counts until nobody
//! holds its read end any more.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::sys::pipe;
use crate::value::share;

/// Most descriptors on their way, all users together; a few less than the bus allows.
const MOST: usize = 48;

/// Number of a descriptor on its way.
pub(super) type PostId = u64;

struct Post {
    id: PostId,
    /// Where its pipe is, once that was emptied and its read end here was closed.
    emptied: Option<OwnedFd>,
}

/// The books of all users.
#[derive(Default)]
pub(super) struct Posts {
    users: HashMap<u32, Vec<Post>>,
    total: usize,
    last: PostId,
}

impl Posts {
    /// Counts one more to `uid`; `None` when it has as many as it may have.
    pub(super) fn send(&mut self, uid: u32) -> Option<PostId> {
        let own = self.users.get(&uid).map_or(0, Vec::len);
        if own >= share::fair(MOST, self.total - own) {
            return None;
        }
        self.last += 1;
        self.users.entry(uid).or_default().push(Post { id: self.last, emptied: None });
        self.total += 1;
        Some(self.last)
    }

    /// It has arrived, or never went out.
    pub(super) fn let_go(&mut self, uid: u32, id: PostId) {
        self.keep(uid, |post| post.id != id);
    }

    /// Its pipe was emptied; `place` finds it again.
    pub(super) fn withdraw(&mut self, uid: u32, id: PostId, place: OwnedFd) {
        let mut posts = self.users.get_mut(&uid).into_iter().flatten();
        if let Some(post) = posts.find(|post| post.id == id) {
            post.emptied = Some(place);
        }
    }

    /// Lets go of those that nobody can read any more: received and closed, or gone with the connection they went to.
    pub(super) fn let_go_of_closed(&mut self) {
        let uids: Vec<u32> = self.users.keys().copied().collect();
        for uid in uids {
            self.keep(uid, |post| post.emptied.as_ref().is_none_or(pipe::has_reader));
        }
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
    use super::*;

    #[test]
    fn whoever_reads_nothing_leaves_half_for_the_next() {
        let mut posts = Posts::default();
        let counts = [1000, 1001, 1002].map(|uid| std::iter::from_fn(|| posts.send(uid)).count());
        assert_eq!(counts, [24, 12, 6]);
    }

    #[test]
    fn what_was_emptied_counts_as_long_as_somebody_could_read_it() {
        let mut posts = Posts::default();
        let (read, write) = pipe::new().unwrap();
        drop(write);
        let id = posts.send(7).unwrap();
        posts.let_go_of_closed();
        assert_eq!(posts.total, 1, "it is on its way");
        posts.withdraw(7, id, pipe::place(&read).unwrap());
        posts.let_go_of_closed();
        assert_eq!(posts.total, 1, "it may lie in the bus");
        drop(read);
        posts.let_go_of_closed();
        assert_eq!((posts.total, posts.users.len()), (0, 0));
        posts.let_go(7, id);
        assert_eq!(posts.total, 0);
    }
}
