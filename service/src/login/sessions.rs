//! The sessions of the login manager (`org.freedesktop.login1`): whoever has one that is not closing is logged in.
//!
//! Sessions of a user's manager, of cron and of the like are none of a user who sits there: a lingering user has no login.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zbus::export::ordered_stream::OrderedStreamExt;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::{Address, Connection, OwnedObjectPath, Proxy, connection::Builder};

use crate::config::Bus;
use crate::service::Service;

const LOGIN_MANAGER: &str = "org.freedesktop.login1";
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Pause before the bus is tried again.
const RETRY: Duration = Duration::from_secs(5);

type SessionRow = (String, u32, String, String, OwnedObjectPath);

/// Follows who has a session, for as long as the daemon runs.
pub async fn watch(service: Arc<Service>, bus: Bus) {
    if bus == Bus::None {
        return;
    }
    loop {
        if let Err(error) = follow(&service, &bus).await {
            log::debug!("sessions cannot be followed: {error}; trying again");
        }
        service.note_sessions(None).await;
        tokio::time::sleep(RETRY).await;
    }
}

async fn follow(service: &Arc<Service>, bus: &Bus) -> zbus::Result<()> {
    let address = match bus {
        Bus::Address(address) => Address::try_from(address.as_str())?,
        Bus::System | Bus::None => Address::system()?,
    };
    let connection = Builder::address(address).build().await?;
    let manager =
        Proxy::new(&connection, LOGIN_MANAGER, "/org/freedesktop/login1", "org.freedesktop.login1.Manager").await?;
    let bus = DBusProxy::new(&connection).await?;
    let mut new = manager.receive_signal("SessionNew").await?;
    let mut removed = manager.receive_signal("SessionRemoved").await?;
    let mut owners = bus.receive_name_owner_changed_with_args(&[(0, LOGIN_MANAGER)]).await?;
    loop {
        let is_there = bus.name_has_owner(BusName::try_from(LOGIN_MANAGER)?).await?;
        let users = if is_there {
            Some(timeout(ANSWER, users(&connection, &manager)).await.map_err(|_| silent())??)
        } else {
            None
        };
        service.note_sessions(users).await;
        let goes_on = tokio::select! {
            signal = new.next() => signal.is_some(),
            signal = removed.next() => signal.is_some(),
            signal = owners.next() => signal.is_some(),
        };
        if !goes_on {
            return Ok(());
        }
    }
}

fn silent() -> zbus::Error {
    zbus::Error::Failure("the login manager does not answer".into())
}

/// Uids with a session of a user that is not closing.
async fn users(connection: &Connection, manager: &Proxy<'_>) -> zbus::Result<HashSet<u32>> {
    let rows: Vec<SessionRow> = manager.call("ListSessions", &()).await?;
    let mut uids = HashSet::new();
    for (_, uid, _, _, path) in rows {
        let session = Proxy::new(connection, LOGIN_MANAGER, path, "org.freedesktop.login1.Session").await?;
        // One that has ended meanwhile has no properties.
        let class: String = session.get_property("Class").await.unwrap_or_default();
        let state: String = session.get_property("State").await.unwrap_or_default();
        if class.starts_with("user") && state != "closing" {
            uids.insert(uid);
        }
    }
    Ok(uids)
}
