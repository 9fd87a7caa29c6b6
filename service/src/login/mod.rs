//! Who is logged in, as far as the vault has to know: a login key is open as long as its user is.
//!
//! A user is logged in while there is a session of the login manager, or while somebody holds a lease: `su -l` has no session.
//! Whoever unlocks without either stays unlocked until `Lock`, until a session after that has ended, or until the daemon ends.
//! Keys are parked with the service manager over a restart, for those who are still logged in after it; this room opens none
//! itself.

mod attempts;
mod held;
mod lease;
mod login_manager;
mod parking;
mod sessions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokenvault_core::vault::daemon;
use tokenvault_core::{Caller, Error};
use tokio::sync::Notify;

pub use self::attempts::{Attempt, Attempts};
use self::held::Held;
pub use self::parking::Parking;
pub use self::sessions::watch;
use crate::bus::blocking;
use crate::journal::event;
use crate::service::Service;
use crate::sys::listen::Passed;

/// What is known of logins.
pub struct Logins {
    /// Keys that were tried.
    pub attempts: Attempts,
    parking: Parking,
    held: Mutex<Held>,
    /// Told when a login was opened or closed, or a lease has ended.
    changed: Notify,
}

impl Logins {
    /// With what the service manager kept over a restart.
    ///
    /// # Errors
    /// The system has no memory file for the keys.
    pub fn new(passed: &mut Passed) -> std::io::Result<Self> {
        let (attempts, parking) = (Attempts::default(), Parking::new(passed)?);
        Ok(Self { attempts, parking, held: Mutex::default(), changed: Notify::new() })
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
            Ok(uids) if uids.is_empty() => {}
            Ok(uids) => {
                log::info!("logins that were open before the restart are open again ({})", uids.len());
                self.logins.held().note_restored(uids);
                self.logins.changed.notify_one();
            }
            Err(error) => log::warn!("logins could not be opened again after the restart: {error}"),
        }
    }

    /// Parks the open logins, because they have changed.
    pub fn park_logins(&self) {
        self.logins.parking.park(&self.vault);
        self.logins.changed.notify_one();
    }

    /// Forgets what was parked, because the vault was sealed.
    pub fn forget_logins(&self) {
        self.logins.parking.forget();
    }

    /// Does something with a user's login in the uid's turn, which blocks, and parks what is open then.
    ///
    /// # Errors
    /// What `work` answers; when the daemon is stopping.
    pub async fn change_login<T: Send + 'static>(
        self: &Arc<Self>,
        uid: u32,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let service = Arc::clone(self);
        let turn = self.login_turns.take(uid).await?;
        blocking(move || {
            service.logins.held().note_change(uid);
            let done = work(&service);
            service.park_logins();
            drop(turn);
            done
        })
        .await
    }

    /// Closes a user's login; whether it was open. Where what was parked is not open again yet, this one will not be. Blocks.
    ///
    /// # Errors
    /// When the vault is not open; [`Error::AccessDenied`].
    pub fn lock_login(&self, caller: &Caller, uid: u32) -> Result<bool, Error> {
        let locked = self.vault.lock_login(caller, uid);
        if !matches!(locked, Err(Error::AccessDenied(_))) {
            self.logins.parking.leave_out(uid);
        }
        locked
    }

    /// Locks whoever nothing keeps logged in. In the uid's turn: who logs in meanwhile unlocks after this, and is not locked.
    async fn lock_if_gone(self: &Arc<Self>, uid: u32) {
        // A daemon that is stopping gives none, and locks everybody.
        let Ok(turn) = self.login_turns.take(uid).await else { return };
        let service = Arc::clone(self);
        let locked = blocking(move || {
            let is_held = service.logins.held().holds(uid);
            let was_open = !is_held && service.lock_login(&daemon(), uid)?;
            if was_open {
                service.park_logins();
            }
            drop(turn);
            Ok(was_open)
        });
        // A vault that is not open has no login open.
        if let Ok(true) = locked.await {
            log::info!(
                MESSAGE_ID = event::LOGIN_LOCKED, TOKENVAULT_UID = uid;
                "uid {uid} has logged out, and its login is locked"
            );
        }
    }
}
