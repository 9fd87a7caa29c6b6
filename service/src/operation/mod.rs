//! Work of administrators that takes longer than a call may: it is begun, watched by its number, and can be cancelled.
//!
//! Few run at one time, each on a thread of its own. What came of one is kept for a while. Only who began it and root see it.

mod entry;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokenvault_core::port::{Cancelled, Progress};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::Findings;

pub use self::entry::{Outcome, State, View};

use self::entry::Entry;
use crate::journal;

/// The methods that begin such work.
pub const METHODS: [&str; 5] = ["Backup", "Restore", "Rotate", "Verify", "VerifyAudit"];

/// Most that run at one time, of all and of one uid.
const RUNNING_MAX: usize = 4;
const RUNNING_OF_ONE: usize = 2;
/// How long the outcome of one is kept, and of how many: the oldest go first.
const KEPT: Duration = Duration::from_secs(60 * 60);
const KEPT_MAX: usize = 64;

/// How often somebody is told how far work is; of its beginning and its end always.
const TELL: Duration = Duration::from_secs(1);

/// Takes how an operation stands that a uid began. It must be quick.
type Listener = Box<dyn Fn(u32, View) + Send + Sync>;

/// What work that was begun is told, and tells.
pub struct Watch {
    id: u64,
    entry: Arc<Entry>,
    listener: Arc<OnceLock<Listener>>,
    told: Mutex<Instant>,
}

impl Watch {
    /// Whether it is to end.
    pub fn is_cancelled(&self) -> bool {
        self.entry.is_cancelled()
    }

    fn tell(&self) {
        if let Some(listener) = self.listener.get() {
            listener(self.entry.uid, self.entry.view(self.id));
        }
    }
}

impl Progress for Watch {
    fn report(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        let reported = self.entry.report(done, total);
        let is_due = {
            let (mut told, now) = (self.told.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            let is_due = now.duration_since(*told) >= TELL;
            if is_due {
                *told = now;
            }
            is_due
        };
        if is_due {
            self.tell();
        }
        reported
    }
}

/// How work ends. What went wrong may have found something too.
pub type Ended = Result<Findings, (Error, Findings)>;

struct Table {
    next: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

/// All operations.
pub struct Operations {
    table: Mutex<Table>,
    listener: Arc<OnceLock<Listener>>,
}

impl Default for Operations {
    fn default() -> Self {
        // A number of an earlier run of the daemon must not be that of another operation now.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let table = Table { next: since.as_secs().saturating_mul(1_000), entries: BTreeMap::new() };
        Self { table: Mutex::new(table), listener: Arc::default() }
    }
}

impl Operations {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets who is told how operations stand, and which uid began them. The first one stays.
    pub fn on_change(&self, listener: impl Fn(u32, View) + Send + Sync + 'static) {
        let _first_stays = self.listener.set(Box::new(listener));
    }

    /// Begins work, on a thread that may block; its number. `operation` is the method that it is begun by, and what that is about. The
    /// journal is told of its beginning and its end.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] when too many run.
    pub fn begin(
        &self,
        caller: &Caller,
        (operation, what): (&'static str, String),
        work: impl FnOnce(&Watch) -> Ended + Send + 'static,
    ) -> Result<u64, Error> {
        let (id, entry) = self.enter(caller.uid, operation, Instant::now())?;
        let uid = caller.uid;
        journal::tell_worked(uid, (operation, &what), &format!("has begun, as operation {id}"));
        let watch = Watch { id, entry, listener: Arc::clone(&self.listener), told: Mutex::new(Instant::now()) };
        watch.tell();
        tokio::task::spawn_blocking(move || {
            // The panic's hook has logged where.
            let ended = catch_unwind(AssertUnwindSafe(|| work(&watch))).unwrap_or_else(|_| {
                Err((Error::Internal(format!("{operation} ended in a fault of the daemon")), Findings::default()))
            });
            let how = match &ended {
                Ok(_) => "is done".to_owned(),
                Err((Error::Cancelled, _)) => "was cancelled".to_owned(),
                Err((error, _)) => format!("has failed: {error}"),
            };
            journal::tell_worked(uid, (operation, &what), &how);
            watch.entry.end(ended, Instant::now());
            watch.tell();
        });
        Ok(id)
    }

    fn enter(&self, uid: u32, operation: &'static str, now: Instant) -> Result<(u64, Arc<Entry>), Error> {
        let mut table = self.table();
        table.forget(now);
        let running = table.entries.values().filter(|entry| entry.is_running());
        let (all, own) = running.fold((0, 0), |(all, own), entry| (all + 1, own + usize::from(entry.uid == uid)));
        if all >= RUNNING_MAX || own >= RUNNING_OF_ONE {
            let retry = "wait until one of them has ended, or cancel it".to_owned();
            return Err(Error::LimitsExceeded { limit: "operations", retry });
        }
        let id = table.next;
        table.next += 1;
        let entry = Arc::new(Entry::new(uid, operation));
        table.entries.insert(id, Arc::clone(&entry));
        Ok((id, entry))
    }

    /// How an operation stands; `None` for one that was never begun, is forgotten, or is another's.
    pub fn view(&self, uid: u32, id: u64) -> Option<View> {
        Some(self.find(uid, id)?.view(id))
    }

    /// Cancels an operation; whether there is one. It ends soon, or has ended already.
    pub fn cancel(&self, uid: u32, id: u64) -> bool {
        self.find(uid, id).inspect(|entry| entry.cancel()).is_some()
    }

    /// Cancels all, because the daemon stops.
    pub fn cancel_all(&self) {
        self.table().entries.values().for_each(|entry| entry.cancel());
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.table().entries.values().filter(|entry| entry.is_running()).count()
    }

    fn find(&self, uid: u32, id: u64) -> Option<Arc<Entry>> {
        let mut table = self.table();
        table.forget(Instant::now());
        table.entries.get(&id).filter(|entry| uid == 0 || entry.uid == uid).map(Arc::clone)
    }
}

impl Table {
    /// Forgets what ended long ago, and the oldest where too many have ended.
    fn forget(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.ended_at().is_none_or(|ended| now.duration_since(ended) < KEPT));
        while self.entries.len() >= KEPT_MAX {
            let oldest = self.entries.iter().filter(|(_, entry)| !entry.is_running()).map(|(id, _)| *id).next();
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
