//! The daemon on the bus: waits for a bus that comes later, comes back to one that was restarted.
//!
//! Two connections: one serves, the other asks the bus who is calling. When either goes, both go, and with them everything
//! that was known of callers.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_proto::BUS_NAME;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use zbus::fdo::{self, DBusProxy, RequestNameFlags, RequestNameReply};
use zbus::names::WellKnownName;
use zbus::{Address, Connection};

use crate::bus::{Front, HotCalls, is_counted_on_the_bus, serve};
use crate::bus_wire::{self, Above, BusWire};
use crate::caller::BusCallers;
use crate::config::Bus;
use crate::fast_path::FastPath;
use crate::service::Service;

/// Waits between attempts: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long the bus may take to let the daemon in.
const JOIN: Duration = Duration::from_secs(5);

/// Keeps the daemon on the bus until `stop` becomes true; then it leaves in order: nothing that the vault has done goes
/// without its reply, and nothing is answered that the audit log no longer takes. `tried` is told after the first attempt.
pub async fn keep(service: Arc<Service>, bus: Bus, tried: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    if bus == Bus::None {
        service.set_bus_health("none");
        return tried.notify_one();
    }
    let mut wait = RETRY.0;
    let mut told = String::new();
    loop {
        let joined = tokio::select! {
            joined = timeout(JOIN, join(&service, &bus)) => joined.unwrap_or(Err(LinkError::Silent)),
            () = told_to(&mut stop) => return,
        };
        match joined {
            Ok(link) => {
                service.set_bus_health("ok");
                log::info!("on the bus as {BUS_NAME}");
                tried.notify_one();
                tokio::select! {
                    () = link.lost() => {}
                    () = told_to(&mut stop) => return link.leave().await,
                }
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
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = told_to(&mut stop) => return,
        }
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Waits until the daemon is to leave: also when whoever could say so is gone.
async fn told_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Why the daemon is not on the bus.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Bus(#[from] zbus::Error),
    #[error("the bus refuses the name {BUS_NAME} to this user; check the bus policy file org.tokenvault1.conf")]
    Policy,
    #[error("the bus does not answer within {} s", JOIN.as_secs())]
    Silent,
    #[error("another process owns the name {BUS_NAME}")]
    Taken,
}

struct Link {
    serving: Connection,
    asking: Connection,
    wire: Arc<BusWire>,
}

impl Link {
    async fn lost(&self) {
        tokio::select! {
            () = self.serving.closed() => {}
            () = self.asking.closed() => {}
        }
    }

    /// Gives the name back, so that who calls now finds nobody instead of nothing, and waits for the calls that came before.
    async fn leave(self) {
        let released = async {
            DBusProxy::new(&self.serving).await?.release_name(WellKnownName::try_from(BUS_NAME)?).await?;
            zbus::Result::Ok(())
        };
        if let Err(error) = released.await {
            log::debug!("the name could not be given back: {error}");
        }
        self.wire.settle().await;
    }
}

impl Drop for Link {
    /// However it ends: what was not answered by now is not answered any more.
    fn drop(&mut self) {
        self.wire.hang_up();
    }
}

fn above(fast_path: Option<Arc<dyn FastPath>>) -> Above {
    Above { fast_path, is_counted: is_counted_on_the_bus }
}

async fn join(service: &Arc<Service>, bus: &Bus) -> Result<Link, LinkError> {
    let address = match bus {
        Bus::Address(address) => Address::try_from(address.as_str())?,
        Bus::System | Bus::None => Address::system()?,
    };
    let (_, asking) = bus_wire::connect(&address, above(None)).await?;
    let asking = asking.build().await?;
    let callers = Arc::new(BusCallers::new(DBusProxy::new(&asking).await?));
    let front = Front::Bus(callers);
    let fast_path = Arc::new(HotCalls::new(service, &front));
    let (wire, serving) = bus_wire::connect(&address, above(Some(fast_path))).await?;
    let serving = serve(serving, service, front).build().await?;
    let link = Link { serving, asking, wire };
    let name = WellKnownName::try_from(BUS_NAME)?;
    let granted =
        DBusProxy::new(&link.serving).await?.request_name(name, RequestNameFlags::DO_NOT_QUEUE).await.map_err(
            |error| match error {
                fdo::Error::AccessDenied(_) => LinkError::Policy,
                error => LinkError::Bus(error.into()),
            },
        )?;
    match granted {
        RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner => Ok(link),
        RequestNameReply::InQueue | RequestNameReply::Exists => Err(LinkError::Taken),
    }
}
