//! The sessions of the login manager (`org.freedesktop.login1`): whoever has one that is not closing is logged in.
//!
//! Sessions of a user's manager, of cron and of the like are none of a user who sits there: a lingering user has no login.
//!
//! A session is closing when its user has left and something of it still runs (`KillUserProcesses=no`, which is the default).
//! The login manager tells of its beginning and of its last process, and of nothing in between, so it is looked at: when a
//! lease has ended or a login was opened or closed, shortly after that, and every few seconds as long as a login is open.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use zbus::export::ordered_stream::OrderedStreamExt;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::{Address, Connection, OwnedObjectPath, OwnedVariant, Proxy, connection::Builder};

use crate::config::Bus;
use crate::service::Service;

const LOGIN_MANAGER: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// What is answered about a session that has ended meanwhile.
const ENDED: [&str; 2] = ["org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.login1.NoSuchSession"];
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

type SessionRow = (String, u32, String, String, OwnedObjectPath);

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
        if let Err(error) = follow(&service, &bus).await {
            log::debug!("sessions cannot be followed: {error}; trying again");
        }
        tries = TRIES.min(tries + 1);
        sleep(RETRY).await;
    }
}

impl Service {
    /// Notes who has a session now, and locks whose last one has ended.
    async fn note_sessions(self: &Arc<Self>, now: HashSet<u32>) {
        let gone = self.logins.held().note_sessions(now, self.vault.unlocked_uids());
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

async fn follow(service: &Arc<Service>, bus: &Bus) -> zbus::Result<()> {
    let address = match bus {
        Bus::Address(address) => Address::try_from(address.as_str())?,
        Bus::System | Bus::None => Address::system()?,
    };
    let connection = Builder::address(address).build().await?;
    let manager = Proxy::new(&connection, LOGIN_MANAGER, "/org/freedesktop/login1", MANAGER).await?;
    let bus = DBusProxy::new(&connection).await?;
    let mut new = manager.receive_signal("SessionNew").await?;
    let mut removed = manager.receive_signal("SessionRemoved").await?;
    let mut owners = bus.receive_name_owner_changed_with_args(&[(0, LOGIN_MANAGER)]).await?;
    let mut has_changed = false;
    loop {
        look(service, &connection, &bus).await?;
        let pause = if has_changed { SHORTLY } else { AGAIN };
        let looks_again = has_changed || !service.vault.unlocked_uids().is_empty();
        has_changed = false;
        let goes_on = tokio::select! {
            signal = new.next() => signal.is_some(),
            signal = removed.next() => signal.is_some(),
            signal = owners.next() => signal.is_some(),
            () = service.logins.changed.notified() => {
                has_changed = true;
                true
            }
            () = sleep(pause), if looks_again => true,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// Asks the login manager, if there is one. One that could be started and does not run is being restarted: nothing is known.
async fn look(service: &Arc<Service>, connection: &Connection, bus: &DBusProxy<'_>) -> zbus::Result<()> {
    if bus.name_has_owner(BusName::try_from(LOGIN_MANAGER)?).await? {
        let users = timeout(ANSWER, users(connection)).await.map_err(|_| silent())??;
        service.note_sessions(users).await;
    } else if bus.list_activatable_names().await?.iter().all(|name| name.as_str() != LOGIN_MANAGER) {
        service.note_no_sessions().await;
    }
    Ok(())
}

fn silent() -> zbus::Error {
    zbus::Error::Failure("the login manager does not answer".into())
}

/// Uids with a session of a user that is not closing.
async fn users(connection: &Connection) -> zbus::Result<HashSet<u32>> {
    let path = "/org/freedesktop/login1";
    let reply = connection.call_method(Some(LOGIN_MANAGER), path, Some(MANAGER), "ListSessions", &()).await?;
    let rows: Vec<SessionRow> = reply.body().deserialize()?;
    let mut uids = HashSet::new();
    for (_, uid, _, _, path) in rows {
        if is_of_somebody_there(connection, &path).await? {
            uids.insert(uid);
        }
    }
    Ok(uids)
}

async fn is_of_somebody_there(connection: &Connection, session: &OwnedObjectPath) -> zbus::Result<bool> {
    let call = connection.call_method(Some(LOGIN_MANAGER), session, Some(PROPERTIES), "GetAll", &(SESSION,));
    let reply = match call.await {
        Err(zbus::Error::MethodError(name, ..)) if ENDED.contains(&name.as_str()) => return Ok(false),
        reply => reply?,
    };
    let properties: HashMap<String, OwnedVariant> = reply.body().deserialize()?;
    let text = |name| properties.get(name).and_then(|value| value.downcast_ref::<&str>().ok()).unwrap_or_default();
    Ok(text("Class").starts_with("user") && text("State") != "closing")
}
