//! The daemon on the bus: waits for a bus that comes later, comes back to one that was restarted.
//!
//! Two connections: one serves, the other asks the bus who is calling. When either goes, both go, and with them everything
//! that was known of callers.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_proto::BUS_NAME;
use tokio::sync::{Notify, watch};
use zbus::fdo::{DBusProxy, RequestNameFlags, RequestNameReply};
use zbus::names::WellKnownName;
use zbus::{Address, Connection};

use crate::bus::{Front, serve};
use crate::bus_wire;
use crate::caller::BusCallers;
use crate::config::Bus;
use crate::service::Service;

/// Waits between attempts: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Keeps the daemon on the bus until `stop` becomes true; then it leaves, so that nothing is answered that the audit log no
/// longer takes. `tried` is told after the first attempt.
pub async fn keep(service: Arc<Service>, bus: Bus, tried: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = stay(&service, bus, tried) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn stay(service: &Arc<Service>, bus: Bus, tried: Arc<Notify>) {
    if bus == Bus::None {
        service.set_bus_health("none");
        return tried.notify_one();
    }
    let mut wait = RETRY.0;
    let mut told = String::new();
    loop {
        match join(service, &bus).await {
            Ok(link) => {
                service.set_bus_health("ok");
                log::info!("on the bus as {BUS_NAME}");
                tried.notify_one();
                link.lost().await;
                service.set_bus_health("the bus connection was lost");
                log::warn!("the bus connection was lost; waiting for the bus");
                (wait, told) = (RETRY.0, String::new());
            }
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    log::warn!("not on the bus: {text}; trying again");
                }
                service.set_bus_health(text.clone());
                told = text;
                tried.notify_one();
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Why the daemon is not on the bus.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Bus(#[from] zbus::Error),
    #[error("the bus refuses the name {BUS_NAME} to this user; check the bus policy file org.tokenvault1.conf")]
    Policy,
    #[error("another process owns the name {BUS_NAME}")]
    Taken,
}

struct Link {
    serving: Connection,
    asking: Connection,
}

impl Link {
    async fn lost(&self) {
        tokio::select! {
            () = self.serving.closed() => {}
            () = self.asking.closed() => {}
        }
    }
}

async fn join(service: &Arc<Service>, bus: &Bus) -> Result<Link, LinkError> {
    let address = match bus {
        Bus::Address(address) => Address::try_from(address.as_str())?,
        Bus::System | Bus::None => Address::system()?,
    };
    let (_, asking) = bus_wire::connect(&address).await?;
    let asking = asking.build().await?;
    let callers = Arc::new(BusCallers::new(DBusProxy::new(&asking).await?));
    let (_, serving) = bus_wire::connect(&address).await?;
    let serving = serve(serving, service, Front::Bus(callers)).build().await?;
    let name = WellKnownName::try_from(BUS_NAME)?;
    let granted = DBusProxy::new(&serving)
        .await?
        .request_name(name, RequestNameFlags::DO_NOT_QUEUE)
        .await
        .map_err(|_| LinkError::Policy)?;
    match granted {
        RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner => Ok(Link { serving, asking }),
        RequestNameReply::InQueue | RequestNameReply::Exists => Err(LinkError::Taken),
    }
}
