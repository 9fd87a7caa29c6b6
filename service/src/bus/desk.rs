//! The front desk of both doors: who is calling, may the call come in, and how its failure is told.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokenvault_core::caller::Door;
use tokenvault_core::vault::{Enrolment, Event, Reply};
use tokenvault_core::{Caller, Error};
use tokio::sync::oneshot;
use zbus::message::{Flags, Header};

use super::call::Call;
use super::{Refusal, dispatch};
use crate::caller::{BusCallers, Identity, InFlight, Kind, UserError};
use crate::journal;
use crate::operation::METHODS;
use crate::service::Service;
use crate::subscription::Place;
use crate::value::BusPlace;

/// Longest reply that is not counted by its bytes.
pub(super) const SMALL_REPLY: usize = 4096;

/// How a door knows its callers.
#[derive(Clone)]
pub enum Front {
    /// One connection of the private socket: everyone on it is this peer.
    Socket(Identity),
    /// A bus, with a sender in each message.
    Bus(Arc<BusCallers>),
}

/// Shared by the interfaces of one connection.
#[derive(Clone)]
pub struct Desk {
    /// The parts of the daemon.
    pub service: Arc<Service>,
    front: Front,
    /// The connection it stands at.
    link: u64,
}

impl Desk {
    /// A desk at a door.
    pub fn new(service: Arc<Service>, front: Front) -> Self {
        let link = service.subscriptions.new_link();
        Self { service, front, link }
    }

    /// What subscribes from the connection it stands at: the client there, or the one that has this name on the bus.
    pub fn place(&self, sender: Option<&str>) -> Place {
        let name = match &self.front {
            Front::Socket(_) => String::new(),
            Front::Bus(_) => sender.unwrap_or_default().to_owned(),
        };
        Place { link: self.link, name }
    }

    /// Has the subscription of a client on the bus end when it leaves; at the private door its connection does.
    pub async fn follow_leaving(&self, place: &Place) -> Result<(), Error> {
        let Front::Bus(callers) = &self.front else { return Ok(()) };
        let (service, link) = (Arc::clone(&self.service), self.link);
        let forget = move |name: &str| service.subscriptions.leave(&Place { link, name: name.to_owned() });
        callers.follow_leaving(forget, &place.name).await
    }

    /// Lets a call in, works on it, and turns what went wrong into a refusal.
    pub async fn serve<T, W>(
        &self,
        header: &Header<'_>,
        kind: Kind,
        work: impl FnOnce(Call) -> W + Send,
    ) -> Result<T, Refusal>
    where
        W: Future<Output = Result<T, Error>> + Send,
    {
        dispatch::note_asked();
        self.work(header, kind, work).await.map_err(Refusal::from).inspect_err(|refusal| {
            dispatch::note_refused(refusal.code());
        })
    }

    async fn work<T, W>(&self, header: &Header<'_>, kind: Kind, work: impl FnOnce(Call) -> W + Send) -> Result<T, Error>
    where
        W: Future<Output = Result<T, Error>> + Send,
    {
        let identity = self.identify(header).await?;
        let uid = identity.uid;
        let outcome = match self.enter(identity, kind).await {
            Ok(call) => match work(call).await {
                Err(missed @ (Error::NotFound | Error::NoOffer)) => self.service.limiter.pay_miss(uid).and(Err(missed)),
                worked => worked,
            },
            Err(refused) => Err(refused),
        };
        if matches!(outcome, Err(Error::LimitsExceeded { .. })) {
            self.slow_down(uid).await;
        }
        outcome
    }

    /// The same for administrators. Who is refused is noted in the audit log, under `operation`; the journal is told of him, and of
    /// what was changed.
    pub async fn serve_admin<T, W>(
        &self,
        header: &Header<'_>,
        kind: Kind,
        operation: &'static str,
        work: impl FnOnce(Call) -> W + Send,
    ) -> Result<T, Refusal>
    where
        W: Future<Output = Result<T, Error>> + Send,
    {
        self.serve(header, kind, |call| async move {
            self.admit(&call, header, operation).await?;
            let uid = call.caller.uid;
            work(call).await.inspect(|_| {
                // Of what takes long its beginning and its end are told.
                if kind == Kind::Write && !METHODS.contains(&operation) {
                    journal::tell_administered(uid, operation);
                }
            })
        })
        .await
    }

    /// The same also for who reads the audit log by role.
    pub async fn serve_auditor<T, W>(
        &self,
        header: &Header<'_>,
        kind: Kind,
        operation: &'static str,
        work: impl FnOnce(Call) -> W + Send,
    ) -> Result<T, Refusal>
    where
        W: Future<Output = Result<T, Error>> + Send,
    {
        self.serve(header, kind, |call| async move {
            match self.service.vault.is_auditor(&call.caller) {
                Ok(true) => {}
                Ok(false) => self.admit(&call, header, operation).await?,
                // Nobody's role is known now, and nothing of the log either.
                Err(error) if call.check_root().is_err() => return Err(error),
                Err(_) => {}
            }
            work(call).await
        })
        .await
    }

    /// Lets administrators in, and notes who is refused.
    async fn admit(&self, call: &Call, header: &Header<'_>, operation: &'static str) -> Result<(), Error> {
        let checked = self.check_administers(call, header).await;
        if let Err(refused) = &checked {
            self.service.vault.note_refusal(&Event::new(&call.caller, operation), refused);
            self.service.refused_admins.tell(call.caller.uid, operation, refused);
        }
        checked
    }

    /// Refuses whoever is neither root nor permitted to administer by polkit, which is asked on the bus.
    async fn check_administers(&self, call: &Call, header: &Header<'_>) -> Result<(), Error> {
        match (&self.front, header.sender()) {
            (Front::Bus(callers), Some(sender)) if !call.caller.is_root() => {
                let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
                let (users, uid) = (&self.service.users, call.caller.uid);
                callers.polkit().check_administers(users, uid, sender.as_str(), interactive).await
            }
            _ => call.check_root(),
        }
    }

    /// Has a call paid for that is none of any handler's.
    pub async fn charge(&self, header: &Header<'_>) -> Result<(), Refusal> {
        self.serve(header, Kind::Read, |_call| async { Ok(()) }).await
    }

    /// Who is calling; `None` where the bus does not say.
    pub async fn uid(&self, header: &Header<'_>) -> Option<u32> {
        self.identify(header).await.ok().map(|identity| identity.uid)
    }

    /// The door that calls come in at.
    pub const fn door(&self) -> Door {
        match self.front {
            Front::Socket(_) => Door::Socket,
            Front::Bus(_) => Door::Bus,
        }
    }

    async fn identify(&self, header: &Header<'_>) -> Result<Identity, Error> {
        match &self.front {
            Front::Socket(identity) => Ok(identity.clone()),
            Front::Bus(callers) => {
                let sender =
                    header.sender().ok_or_else(|| Error::AccessDenied("the bus does not say who is calling".into()))?;
                if let Some(identity) = callers.cached(sender) {
                    return Ok(identity);
                }
                // Until it is known who asks, the call counts with others of which it is not.
                let _in_flight = self.service.limiter.enter_unknown()?;
                callers.identity(sender).await
            }
        }
    }

    async fn enter(&self, identity: Identity, kind: Kind) -> Result<Call, Error> {
        let uid = identity.uid;
        let known = self.service.users.known_name(uid);
        // Of whom it is not known whether he is a user, few come in.
        let is_user = known.is_some() || self.service.users.remembers(uid);
        let limiter = &self.service.limiter;
        let mut in_flight = if is_user { limiter.enter(uid)? } else { limiter.enter_unnamed(uid)? };
        let user = self.name(uid, kind, known, &mut in_flight).await;
        // Those who are no users have few places: who does not read a refusal must not keep one.
        if is_user || user.is_ok() {
            dispatch::keep_place(in_flight);
        }
        let user = user?;
        let contained = identity.contained;
        Ok(Call { caller: self.with_groups(identity.named(user)).await?, contained })
    }

    /// The same caller with the groups that the user database gives it, where its bus does not say in which it is. They are
    /// needed where a role or being taken in hangs on them: a caller whose groups nobody knows may have fewer rights than others.
    async fn with_groups(&self, caller: Caller) -> Result<Caller, Error> {
        if !caller.gids.is_empty() || caller.is_root() {
            return Ok(caller);
        }
        let settings = self.service.vault.settings();
        if settings.roles.is_empty() && !matches!(settings.enrolment, Enrolment::Group(_)) {
            return Ok(caller);
        }
        let gids = self.service.users.groups(caller.uid).await.map_err(|error| unnamed(caller.uid, error))?;
        Ok(Caller { gids, ..caller })
    }

    /// Takes what a call costs, and the name of its uid from the user database where it is not `known`.
    async fn name(
        &self,
        uid: u32,
        kind: Kind,
        known: Option<Arc<str>>,
        in_flight: &mut InFlight,
    ) -> Result<Arc<str>, Error> {
        self.service.limiter.pay(uid, kind)?;
        if let Some(user) = known {
            return Ok(user);
        }
        let user = self.service.users.name(uid).await.map_err(|error| unnamed(uid, error))?;
        in_flight.named()?;
        Ok(user)
    }

    /// A place on the bus for a descriptor in the reply to a call; none is needed at the private door.
    pub async fn bus_place(&self, call: &Call) -> Result<Option<BusPlace>, Error> {
        match &self.front {
            Front::Socket(_) => Ok(None),
            Front::Bus(_) => {
                // Who waits for a place should wait for something.
                self.service.vault.check_open()?;
                Ok(Some(self.service.pipes.bus_place(call.caller.uid).await?))
            }
        }
    }

    /// Counts a reply of about so many bytes against its user until it is written.
    pub fn count_reply(&self, uid: u32, bytes: usize) -> Result<(), Error> {
        // As many small ones as there can be calls are no burden.
        if bytes <= SMALL_REPLY {
            return Ok(());
        }
        let mut reply = self.service.replies.of(uid);
        reply.resize(bytes).map_err(|_| Error::LimitsExceeded {
            limit: "replies",
            retry: "read the answers you have, then retry".into(),
        })?;
        dispatch::keep_reply(reply);
        Ok(())
    }

    /// Has less of a uid that was refused for a limit come in.
    async fn slow_down(&self, uid: u32) {
        let pace = &self.service.pace;
        pace.note_refusal(uid);
        match &self.front {
            // Its connections read nothing more for the moment.
            Front::Socket(_) => {}
            Front::Bus(_) => pace.hold_back(uid).await,
        }
    }

    /// Starts a write and waits for its commit.
    pub async fn committed<T: Send + 'static>(&self, start: impl FnOnce(Reply<T>)) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        start(Box::new(move |result| drop(sender.send(result))));
        let answer =
            async { receiver.await.unwrap_or_else(|_| Err(Error::Unavailable("the vault is stopping".into()))) };
        self.within_time("the write was not durable", "it may still become so, read the token again", answer).await
    }

    /// Waits for an answer as long as a request may take (`request-seconds`); after that says what has `not_happened` and
    /// the `next` step.
    pub async fn within_time<T>(
        &self,
        not_happened: &str,
        next: &str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let seconds = self.service.config().limits.request_seconds;
        if seconds == 0 {
            return answer.await;
        }
        tokio::time::timeout(Duration::from_secs(seconds), answer)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout(format!("{not_happened} within {seconds} s; {next}"))))
    }
}

/// Why a uid without a name is not served.
pub fn unnamed(uid: u32, error: UserError) -> Error {
    match error {
        UserError::Unknown => Error::AccessDenied(format!(
            "uid {uid} is not in the user database; the vault serves users of this machine"
        )),
        UserError::Unavailable(why) => Error::Unavailable(format!("{why}; retry")),
    }
}

/// Runs work that blocks (TPM, slots) off the runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Internal(format!("a task of the daemon failed: {error}"))))
}

/// The same when the uid it is done for has its turn: what one uid asks for must not take every thread.
pub async fn in_turn<T: Send + 'static>(
    service: &Service,
    uid: u32,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let turn = service.turns.take(uid).await?;
    blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
}
