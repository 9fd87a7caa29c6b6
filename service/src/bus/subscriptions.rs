//! The methods of `Manager` about subscriptions, and the delivery of what subscribers are told.

use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::announcement::News;
use tokenvault_core::caller::Door;
use tokenvault_core::policy::{self, Action};
use tokenvault_core::vault::Listening;
use tokenvault_core::{Caller, Error};
use tokenvault_proto::{CHANGE_LOST, NoOptions, OBJECT_PATH};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use zbus::Connection;
use zbus::message::Header;
use zbus::names::{BusName, UniqueName};
use zbus::object_server::SignalEmitter;

use super::call::Call;
use super::decode_issued::group_now;
use super::manager::Manager;
use super::shared::{FEW_GROUPS, know_groups};
use super::{Desk, Options, decode, trace};
use crate::caller::Kind;
use crate::service::Service;
use crate::subscription::{Most, Next, Subscription, Told};

/// How long after something could not be told to a subscriber it is asked anew whether it may be told so.
const JUDGE_AGAIN: Duration = Duration::from_secs(30);

/// Where the signals of one subscriber go.
#[derive(Clone)]
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
        let door = if self.name.is_some() { Door::Bus } else { Door::Socket };
        trace::note_signal(door, signal_name(told));
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

/// The signal that tells something.
fn signal_name(told: &Told) -> &'static str {
    match told {
        Told::Lost => "TokenChanged",
        Told::Operation { .. } => "OperationChanged",
        Told::Announced(said) => match said.news {
            News::Changed { .. } => "TokenChanged",
            News::Expiring { .. } => "TokenExpiring",
            News::Shared => "TokenShared",
        },
    }
}

/// `Subscribe`.
pub async fn subscribe(desk: &Desk, mut call: Call, line: Line, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    let service = &desk.service;
    // A vault that is not open knows nobody. Who may hear of something is asked again when there is something.
    match service.vault.standing(&call.caller) {
        Ok(standing) => policy::judge(standing, Some(call.caller.uid), Action::Read).into_result()?,
        Err(refused @ Error::AccessDenied(_)) => return Err(refused),
        Err(_) => {}
    }
    // What is shared with a group is told to its members, also where the connection does not say who is one.
    know_groups(desk, &mut call).await?;
    let limits = &service.config().limits;
    let most = Most { of_one: limits.subscriptions, of_all: limits.subscriptions_total };
    let place = desk.place(line.name());
    loop {
        let (subscription, is_new) = service.subscriptions.enter(&place, (&call.caller, call.contained), most)?;
        let give_up = || service.subscriptions.give_up(&subscription);
        if is_new {
            let listening = listen(desk, &call).inspect_err(|_| give_up())?;
            let (service, subscription, line) = (Arc::clone(service), Arc::clone(&subscription), line.clone());
            tokio::spawn(async move {
                deliver(service, subscription, line).await;
                drop(listening);
            });
        }
        if subscription.is_settled() {
            return Ok(());
        }
        // Whoever leaves the bus from here on is heard of.
        desk.follow_leaving(&place).await.inspect_err(|_| give_up())?;
        pass_the_writer(desk).await.inspect_err(|_| give_up())?;
        if service.subscriptions.settle(&subscription) {
            return Ok(());
        }
        // Another call of this connection, which came before, could not be told who leaves, and has ended it.
    }
}

/// Has the vault know that somebody listens. Of many groups that is work, which is paid for and blocks: no other call of the
/// connection may come in between, so it takes no turn.
fn listen(desk: &Desk, call: &Call) -> Result<Listening, Error> {
    let look = || desk.service.vault.listen(&call.caller);
    if call.caller.gids.len() <= FEW_GROUPS {
        return look();
    }
    desk.service.limiter.pay(call.caller.uid, Kind::Write)?;
    tokio::task::block_in_place(look)
}

/// Waits until what is being written is told: whom it is shared with was asked when perhaps nobody listened, and a list that the
/// caller asks for now must not miss it. That the store is out of order keeps nobody from subscribing.
async fn pass_the_writer(desk: &Desk) -> Result<(), Error> {
    let (passed, passes) = oneshot::channel();
    desk.service.vault.round_trip(Box::new(move |_outcome| {
        let _nobody_may_wait = passed.send(());
    }));
    let passes = async { passes.await.map_err(|_| Error::Unavailable("the vault is stopping".into())) };
    desk.within_time("it was not subscribed", "retry", passes).await
}

/// `Unsubscribe`.
pub fn unsubscribe(desk: &Desk, line: &Line, options: Options) -> Result<(), Error> {
    decode::options::<NoOptions>(options)?;
    desk.service.subscriptions.leave(&desk.place(line.name()));
    Ok(())
}

/// Sends what is put into a mailbox, until the subscription or its connection ends.
async fn deliver(service: Arc<Service>, subscription: Arc<Subscription>, line: Line) {
    let mailbox = &subscription.mailbox;
    let (mut missed, mut judge_at) = (false, Instant::now());
    loop {
        let next = tokio::select! {
            next = mailbox.take() => next,
            // Nobody says when the user database answers again.
            () = sleep_until(judge_at), if missed => Some(Next::Judge),
            () = line.connection.closed() => None,
        };
        let Some(next) = next else { break };
        let told = match (hears(&service, &subscription, &next).await, next) {
            (hearing @ (Hearing::Nothing | Hearing::Barred), next) => {
                let is_judged = matches!(next, Next::Judge);
                let misses = matches!((hearing, next), (Hearing::Barred, Next::Tell(_)));
                if is_judged || misses && !missed {
                    judge_at = Instant::now() + JUDGE_AGAIN;
                }
                missed |= misses;
                mailbox.pass_over();
                continue;
            }
            (Hearing::All, Next::Judge) if !missed => continue,
            (Hearing::All, Next::Tell(told)) if !missed => {
                if matches!(told, Told::Lost) || mailbox.pay() {
                    told
                } else {
                    Told::Lost
                }
            }
            (Hearing::All, _) => {
                mailbox.lose();
                Told::Lost
            }
        };
        let is_lost = matches!(told, Told::Lost);
        missed &= !is_lost;
        if line.tell(&told).await.is_err() || is_lost && mailbox.end() {
            break;
        }
    }
    mailbox.close();
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

async fn hears(service: &Service, subscription: &Subscription, next: &Next) -> Hearing {
    let uid = subscription.caller.uid;
    // Nothing is in it.
    if matches!(next, Next::Tell(Told::Lost)) {
        return Hearing::All;
    }
    let Ok(user) = service.users.name(uid).await else { return Hearing::Barred };
    let caller = Caller { user, ..subscription.caller.clone() };
    let standing = match service.vault.standing(&caller) {
        Ok(standing) if standing.active => standing,
        _ => return Hearing::Barred,
    };
    let is_meant = match next {
        Next::Tell(Told::Announced(said)) => {
            let mut groups = Vec::new();
            let hangs_on = if said.is_for(&caller, standing, &[]) { Vec::new() } else { said.groups(&caller) };
            for name in hangs_on {
                let Ok(now) = group_now(service, uid, name).await else { return Hearing::Barred };
                groups.push(now);
            }
            said.is_for(&caller, standing, &groups)
        }
        Next::Tell(Told::Operation { uid: begun_by, .. }) => *begun_by == uid || uid == 0 && !subscription.contained,
        Next::Tell(Told::Lost) | Next::Judge => true,
    };
    match is_meant {
        _ if service.subscriptions.is_held(uid) => Hearing::Barred,
        true => Hearing::All,
        false => Hearing::Nothing,
    }
}
