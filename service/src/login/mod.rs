//! Who is logged in, as far as the vault has to know: a login key is open as long as its user is.
//!
//! A user is logged in while there is a session of the login manager, or while somebody holds a lease: `su -l` has no session.
//! Whoever unlocks without either stays unlocked until `Lock`, or until the first session after that has ended. Keys are parked
//! with the service manager over a restart; this room opens none itself.

mod attempts;
mod lease;
mod parking;
mod sessions;

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::Error;
use tokenvault_core::vault::daemon;

pub use self::attempts::{Attempt, Attempts};
pub use self::parking::Parking;
pub use self::sessions::watch;
use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;
use crate::sys::listen::Passed;

/// Leases of one uid at a time.
const LEASES_MAX: usize = 256;

/// What is known of logins.
pub struct Logins {
    /// Keys that were tried.
    pub attempts: Attempts,
    parking: Parking,
    held: Mutex<Held>,
}

/// What keeps users logged in.
#[derive(Default)]
struct Held {
    leases: HashMap<u32, usize>,
    /// Uids with a session; `None` while no login manager tells.
    sessions: Option<HashSet<u32>>,
}

impl Held {
    fn is_leased(&self, uid: u32) -> bool {
        self.leases.contains_key(&uid)
    }

    fn has_session(&self, uid: u32) -> bool {
        self.sessions.as_ref().is_some_and(|uids| uids.contains(&uid))
    }
}

/// One lease; counted until it is dropped.
struct Lease {
    service: Arc<Service>,
    uid: u32,
}

impl Logins {
    /// With what the service manager kept over a restart.
    ///
    /// # Errors
    /// The system has no memory file for the keys.
    pub fn new(passed: &mut Passed) -> std::io::Result<Self> {
        Ok(Self { attempts: Attempts::default(), parking: Parking::new(passed)?, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while the lock is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Opens the logins that were open before a restart. To be called when the vault has been opened. Blocks.
    pub fn restore_logins(&self) {
        match self.logins.parking.restore(&self.vault) {
            Ok(0) => {}
            Ok(count) => log::info!("logins that were open before the restart are open again ({count})"),
            Err(error) => log::warn!("logins could not be opened again after the restart: {error}"),
        }
    }

    /// Parks the open logins, because they have changed.
    pub fn park_logins(&self) {
        self.logins.parking.park(&self.vault);
    }

    /// Forgets what was parked, because the vault was sealed.
    pub fn forget_logins(&self) {
        self.logins.parking.forget();
    }

    /// Counts a uid as logged in while somebody holds the other end of the pipe `alive`.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`]; [`Error::InvalidArgs`] for what is no pipe.
    pub fn lease_login(self: &Arc<Self>, uid: u32, alive: OwnedFd) -> Result<(), Error> {
        let ended = lease::ended(alive, uid)?;
        let lease = self.take_lease(uid)?;
        tokio::spawn(async move {
            ended.await;
            let service = Arc::clone(&lease.service);
            drop(lease);
            service.lock_if_gone(uid).await;
        });
        Ok(())
    }

    /// Takes up the leases that were kept over a restart.
    pub fn resume_leases(self: &Arc<Self>, passed: &mut Passed) {
        for (uid, alive) in lease::kept(passed) {
            if let Err(error) = self.lease_login(uid, alive) {
                log::warn!("a login of uid {uid} could not be followed over the restart: {error}");
            }
        }
    }

    fn take_lease(self: &Arc<Self>, uid: u32) -> Result<Lease, Error> {
        let mut held = self.logins.held();
        let count = held.leases.entry(uid).or_default();
        if *count >= LEASES_MAX {
            let retry = "end logins of this user, then log in again".into();
            return Err(Error::LimitsExceeded { limit: "leases", retry });
        }
        *count += 1;
        Ok(Lease { service: Arc::clone(self), uid })
    }

    /// Notes who has a session now, and locks whose last one has ended.
    async fn note_sessions(self: &Arc<Self>, now: Option<HashSet<u32>>) {
        let before = std::mem::replace(&mut self.logins.held().sessions, now.clone());
        let Some(now) = now else { return };
        // The first time nothing is known of who was logged in before.
        let had = |uid: &u32| before.as_ref().is_none_or(|before| before.contains(uid));
        let ended = self.vault.unlocked_uids().into_iter().filter(|uid| !now.contains(uid) && had(uid));
        for uid in ended {
            self.lock_if_gone(uid).await;
        }
    }

    async fn lock_if_gone(self: &Arc<Self>, uid: u32) {
        let is_held = {
            let held = self.logins.held();
            held.is_leased(uid) || held.has_session(uid)
        };
        if is_held {
            return;
        }
        let service = Arc::clone(self);
        let locked = blocking(move || {
            let was_open = service.vault.lock_login(&daemon(), uid)?;
            service.park_logins();
            Ok(was_open)
        });
        // A sealed vault has none open.
        if let Ok(true) = locked.await {
            log::info!(
                MESSAGE_ID = event::LOGIN_LOCKED, TOKENVAULT_UID = uid;
                "uid {uid} has logged out, and its login is locked"
            );
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.service.logins.held();
        if let Some(count) = held.leases.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                held.leases.remove(&self.uid);
            }
        }
    }
}
