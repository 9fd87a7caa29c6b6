//! The sessions of the login manager (`org.freedesktop.login1`): whoever has one that is not closing is logged in.
//!
//! Sessions of a user's manager, of cron and of the like are none of a user who sits there: a lingering user has no login.
//!
//! A session is closing when its user has left and something of it still runs (`KillUserProcesses=no`, which is the default).
//! The login manager tells of its beginning and of its last process, and of nothing in between, so it is looked at: when a
//! lease has ended or a login was opened or closed, shortly after that, and every few seconds as long as a login is open.
//!
//! A login must not stay open because its session was never looked at. Where one may have begun and ended unseen (it was told of
//! and had ended by the look, or the bus or the login manager could not be asked for a while), whoever opened a login meanwhile,
//! and has neither a session nor a lease, is locked: who did so without either has to unlock again.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::held::Seen;
use super::login_manager::{LoginManager, Presence};
use crate::config::Bus;
use crate::service::Service;

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Pause before the bus is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often it is tried before nobody is taken to tell of sessions, if nobody has yet.
const TRIES: u32 = 6;
/// How long after a change it is looked again: a login program may tell the vault of its end first.
const SHORTLY: Duration = Duration::from_secs(1);
/// How often it is looked while a login is open.
const AGAIN: Duration = Duration::from_secs(10);

/// Follows who has a session, for as long as the daemon runs.
pub async fn watch(service: Arc<Service>, bus: Bus) {
    let mut tries = 0;
    loop {
        if bus == Bus::None || tries == TRIES {
            service.note_no_sessions().await;
        }
        if bus == Bus::None {
            service.logins.changed.notified().await;
            continue;
        }
        let Err(error) = follow(&service, &bus).await;
        log::debug!("sessions cannot be followed: {error}; trying again");
        service.logins.held().note_lost(HashSet::new());
        tries = TRIES.min(tries + 1);
        sleep(RETRY).await;
    }
}

impl Service {
    /// Notes who has a session now, and locks whose last one has ended.
    async fn note_sessions(self: &Arc<Self>, seen: Seen) {
        let gone = self.logins.held().note_sessions(seen);
        for uid in gone {
            self.lock_if_gone(uid).await;
        }
    }

    /// Notes that nobody tells of sessions, and locks who is open since before a restart without a lease.
    async fn note_no_sessions(self: &Arc<Self>) {
        let gone = self.logins.held().note_no_sessions();
        for uid in gone {
            self.lock_if_gone(uid).await;
        }
    }
}

async fn follow(service: &Arc<Service>, bus: &Bus) -> zbus::Result<Infallible> {
    let mut login_manager = LoginManager::on(bus).await?;
    let mut has_changed = false;
    loop {
        look(service, &mut login_manager).await?;
        let pause = if has_changed { SHORTLY } else { AGAIN };
        let looks_again = has_changed || !service.vault.unlocked_uids().is_empty();
        has_changed = false;
        tokio::select! {
            told = login_manager.tells() => told?,
            () = service.logins.changed.notified() => has_changed = true,
            () = sleep(pause), if looks_again => {}
        }
    }
}

/// Asks who has a session, and notes it. Where that cannot be found out now, sessions may come and go until it can be.
async fn look(service: &Arc<Service>, login_manager: &mut LoginManager<'_>) -> zbus::Result<()> {
    let changed = service.logins.held().take_changed();
    match timeout(ANSWER, login_manager.look()).await.unwrap_or_else(|_| Err(silent())) {
        Ok(Presence::Running(found)) => {
            let open = service.vault.unlocked_uids();
            service.note_sessions(Seen { changed, open, ..found }).await;
        }
        Ok(Presence::Missing) => service.note_no_sessions().await,
        Ok(Presence::Restarting) => service.logins.held().note_lost(changed),
        Err(error) => {
            service.logins.held().note_lost(changed);
            return Err(error);
        }
    }
    Ok(())
}

fn silent() -> zbus::Error {
    zbus::Error::Failure("the login manager does not answer".into())
}
