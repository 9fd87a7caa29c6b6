//! The methods of `Manager` about subscriptions, and the delivery of what subscribers are told.

use std::sync::Arc;

use tokenvault_core::announcement::News;
use tokenvault_core::policy::{self, Action};
use tokenvault_core::{Caller, Error};
use tokenvault_proto::{CHANGE_LOST, NoOptions, OBJECT_PATH};
use zbus::Connection;
use zbus::message::Header;
use zbus::names::{BusName, UniqueName};
use zbus::object_server::SignalEmitter;

use super::call::Call;
use super::decode_issued::group_now;
use super::manager::Manager;
use super::{Desk, Options, decode};
use crate::service::Service;
use crate::subscription::{Most, Subscription, Told};

/// Where the signals of one subscriber go.
pub struct Line {
    connection: Connection,
    /// On a bus, to whom.
    name: Option<UniqueName<'static>>,
}

impl Line {
    /// Back to where a call came from.
    pub fn back(header: &Header<'_>, connection: &Connection) -> Self {
        Self { connection: connection.clone(), name: header.sender().map(|sender| sender.to_owned()) }
    }

    fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.as_str())
    }

    async fn tell(&self, told: &Told) -> zbus::Result<()> {
        let emitter = SignalEmitter::new(&self.connection, OBJECT_PATH)?;
        let emitter = match &self.name {
            Some(name) => emitter.set_destination(BusName::Unique(name.as_ref())),
            None => emitter,
        };
        match told {
            Told::Lost => Manager::token_changed(&emitter, "", "", CHANGE_LOST, 0).await,
            Told::Operation { info, .. } => Manager::operation_changed(&emitter, info.id, info).await,
            Told::Announced(said) => {
                let (owner, name) = (format!("uid:{}", said.owner), said.name.as_str());
                match said.news {
                    News::Changed { happened, version, .. } => {
                        Manager::token_changed(&emitter, &owner, name, happened.as_str(), version).await
                    }
                    News::Expiring { expires } => {
                        Manager::token_expiring(&emitter, &owner, name, expires.as_usec()).await
                    }
                    News::Shared => Manager::token_shared(&emitter, &owner, name).await,
                }
            }
        }
    }
}

/// `Subscribe`.
pub async fn subscribe(desk: &Desk, call: Call, line: Line, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    let service = &desk.service;
    // A vault that is not open knows nobody. Who may hear of something is asked again when there is something.
    match service.vault.standing(&call.caller) {
        Ok(standing) => policy::judge(standing, Some(call.caller.uid), Action::Read).into_result()?,
        Err(refused @ Error::AccessDenied(_)) => return Err(refused),
        Err(_) => {}
    }
    let limits = &service.config().limits;
    let most = Most { of_one: limits.subscriptions, of_all: limits.subscriptions_total };
    let place = desk.place(line.name());
    let Some(subscription) = service.subscriptions.enter(place.clone(), (call.caller, call.contained), most)? else {
        return Ok(());
    };
    tokio::spawn(deliver(Arc::clone(service), subscription, line));
    // Whoever leaves the bus from here on is heard of.
    desk.follow_leaving(&place).await.inspect_err(|_| service.subscriptions.leave(&place))
}

/// `Unsubscribe`.
pub fn unsubscribe(desk: &Desk, line: &Line, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    desk.service.subscriptions.leave(&desk.place(line.name()));
    Ok(())
}

/// Sends what is put into a mailbox, until the subscription or its connection ends.
async fn deliver(service: Arc<Service>, subscription: Arc<Subscription>, line: Line) {
    let mut missed = false;
    loop {
        let told = tokio::select! {
            told = subscription.mailbox.take() => told,
            () = line.connection.closed() => None,
        };
        let Some(told) = told else { break };
        let told = match hears(&service, &subscription, &told).await {
            Hearing::Nothing => continue,
            Hearing::Barred => {
                missed = true;
                continue;
            }
            Hearing::All if missed => Told::Lost,
            Hearing::All => told,
        };
        if line.tell(&told).await.is_err() || matches!(told, Told::Lost) {
            break;
        }
    }
    subscription.mailbox.close();
    service.subscriptions.forget(&subscription);
}

/// Whether a subscriber hears of something.
enum Hearing {
    All,
    /// It is not meant for it.
    Nothing,
    /// It may not be told anything now: disabled, frozen, or nobody knows whose uid it is.
    Barred,
}

async fn hears(service: &Service, subscription: &Subscription, told: &Told) -> Hearing {
    let question = subscription.question();
    let uid = subscription.caller.uid;
    // Nothing is in it.
    if matches!(told, Told::Lost) {
        return Hearing::All;
    }
    let Ok(user) = service.users.name(uid).await else { return Hearing::Barred };
    let caller = Caller { user, ..subscription.caller.clone() };
    let standing = match service.vault.standing(&caller) {
        Ok(standing) if standing.active => standing,
        _ => return Hearing::Barred,
    };
    let administers = !subscription.contained && policy::is_administrator(standing);
    subscription.note_administers(question, administers);
    let is_meant = match told {
        Told::Announced(said) => {
            let mut groups = Vec::new();
            let hangs_on = if said.is_for(&caller, standing, &[]) { Vec::new() } else { said.groups(&caller) };
            for name in hangs_on {
                let Ok(now) = group_now(service, uid, name).await else { return Hearing::Barred };
                groups.push(now);
            }
            said.is_for(&caller, standing, &groups)
        }
        Told::Operation { uid: begun_by, .. } => *begun_by == uid || administers,
        Told::Lost => true,
    };
    if is_meant { Hearing::All } else { Hearing::Nothing }
}
