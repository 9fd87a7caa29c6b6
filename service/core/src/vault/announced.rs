//! The way from what was written to who is told of it.

use std::sync::Arc;

use super::write::{Effect, Reply};
use super::{Event, Vault};
use crate::announcement::Announcement;
use crate::error::Error;
use crate::port::WriteTx;

/// Takes what is announced, in order, also on the writer's thread: it must only hand it on.
pub(super) type Announcer = Box<dyn Fn(Announcement) + Send + Sync>;

impl Vault {
    /// Sets who is told what is announced. It must be quick. The first one stays.
    pub fn on_announcement(&self, announcer: impl Fn(Announcement) + Send + Sync + 'static) {
        let _first_stays = self.announcer.set(Box::new(announcer));
    }

    /// Tells of what is durable.
    pub(crate) fn announce(&self, said: Vec<Announcement>) {
        if let Some(announcer) = self.announcer.get() {
            said.into_iter().for_each(announcer);
        }
    }

    /// Queues a write as [`Vault::write`] does. What `work` has to say beside its result is announced when it is durable: before
    /// the answer, and before anything of a later write.
    pub(crate) fn write_announced<T: Send + 'static>(
        self: &Arc<Self>,
        event: Event,
        effect: Effect,
        reply: Reply<T>,
        work: impl FnMut(&mut dyn WriteTx) -> Result<(T, Vec<Announcement>), Error> + Send + 'static,
    ) {
        let vault = Arc::clone(self);
        let reply: Reply<(T, Vec<Announcement>)> = Box::new(move |result| {
            reply(result.map(|(done, said)| {
                vault.announce(said);
                done
            }));
        });
        self.write(event, effect, reply, work);
    }
}
