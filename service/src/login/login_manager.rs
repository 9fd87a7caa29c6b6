//! The login manager (`org.freedesktop.login1`), as somebody sees it who follows who has a session.

use std::collections::HashMap;

use zbus::connection::Builder;
use zbus::export::ordered_stream::OrderedStreamExt;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};
use zbus::names::BusName;
use zbus::proxy::SignalStream;
use zbus::{Address, Connection, Message, OwnedObjectPath, OwnedVariant, Proxy};

use super::held::Seen;
use crate::config::Bus;

const LOGIN_MANAGER: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// What is answered about a session that has ended, unless that its object is unknown.
const NO_SUCH_SESSION: &str = "org.freedesktop.login1.NoSuchSession";

type SessionRow = (String, u32, String, String, OwnedObjectPath);

/// Whether there is a login manager.
pub(super) enum Presence {
    /// What it tells of sessions; who is open is not for it to say.
    Running(Seen),
    /// It could be started and does not run.
    Restarting,
    /// There is none.
    Missing,
}

/// One that is followed.
pub(super) struct LoginManager<'a> {
    connection: Connection,
    bus: DBusProxy<'a>,
    new: SignalStream<'a>,
    removed: SignalStream<'a>,
    owners: NameOwnerChangedStream,
    /// Sessions whose beginning it has told of, and that were not looked at since.
    begun: Vec<OwnedObjectPath>,
}

impl LoginManager<'_> {
    /// The one on a bus, which may come later.
    ///
    /// # Errors
    /// There is no such bus.
    pub(super) async fn on(bus: &Bus) -> zbus::Result<Self> {
        let address = match bus {
            Bus::Address(address) => Address::try_from(address.as_str())?,
            Bus::System | Bus::None => Address::system()?,
        };
        let connection = Builder::address(address).build().await?;
        let manager = Proxy::new(&connection, LOGIN_MANAGER, PATH, MANAGER).await?;
        let bus = DBusProxy::new(&connection).await?;
        Ok(Self {
            new: manager.receive_signal("SessionNew").await?,
            removed: manager.receive_signal("SessionRemoved").await?,
            owners: bus.receive_name_owner_changed_with_args(&[(0, LOGIN_MANAGER)]).await?,
            begun: Vec::new(),
            connection,
            bus,
        })
    }

    /// Waits until it tells of something that may change who has a session.
    pub(super) async fn tells(&mut self) -> zbus::Result<()> {
        let goes_on = tokio::select! {
            signal = self.new.next() => match signal {
                Some(signal) => {
                    self.begun.push(session_of(&signal)?);
                    true
                }
                None => false,
            },
            signal = self.removed.next() => signal.is_some(),
            signal = self.owners.next() => signal.is_some(),
        };
        if goes_on { Ok(()) } else { Err(zbus::Error::Failure("the bus has gone".into())) }
    }

    /// Who has a session now. To be asked again from the beginning when it was given up.
    pub(super) async fn look(&mut self) -> zbus::Result<Presence> {
        let name = BusName::try_from(LOGIN_MANAGER)?;
        if self.bus.name_has_owner(name).await? {
            return Ok(Presence::Running(self.sessions().await?));
        }
        let can_be_started = self.bus.list_activatable_names().await?.iter().any(|name| name.as_str() == LOGIN_MANAGER);
        Ok(if can_be_started { Presence::Restarting } else { Presence::Missing })
    }

    /// Every session, and whether there were others.
    async fn sessions(&mut self) -> zbus::Result<Seen> {
        let mut seen = Seen::default();
        let mut rows = self.list().await?;
        // What it told of before it answered has arrived before the answer.
        self.take_begun().await?;
        if self.begun.iter().any(|begun| !is_among(&rows, begun)) {
            // That began after it was asked, or has ended.
            rows = self.list().await?;
            seen.has_missed = self.begun.iter().any(|begun| !is_among(&rows, begun));
        }
        self.begun.clear();
        for (_, uid, _, _, path) in rows {
            match self.state(&path).await? {
                State::Elsewhere => {}
                State::There => {
                    seen.there.insert(uid);
                }
                State::Over => {
                    seen.over.insert(path.to_string(), uid);
                }
                State::Ended => seen.has_missed = true,
            }
        }
        Ok(seen)
    }

    async fn list(&self) -> zbus::Result<Vec<SessionRow>> {
        let call = self.connection.call_method(Some(LOGIN_MANAGER), PATH, Some(MANAGER), "ListSessions", &());
        call.await?.body().deserialize()
    }

    /// Takes note of the sessions whose beginning was told already.
    async fn take_begun(&mut self) -> zbus::Result<()> {
        loop {
            tokio::select! {
                biased;
                signal = self.new.next() => match signal {
                    Some(signal) => self.begun.push(session_of(&signal)?),
                    None => return Ok(()),
                },
                () = std::future::ready(()) => return Ok(()),
            }
        }
    }

    async fn state(&self, session: &OwnedObjectPath) -> zbus::Result<State> {
        let call = self.connection.call_method(Some(LOGIN_MANAGER), session, Some(PROPERTIES), "GetAll", &(SESSION,));
        let reply = match call.await {
            Err(error) if has_ended(&error) => return Ok(State::Ended),
            reply => reply?,
        };
        let properties: HashMap<String, OwnedVariant> = reply.body().deserialize()?;
        let text = |name| properties.get(name).and_then(|value| value.downcast_ref::<&str>().ok()).unwrap_or_default();
        Ok(match (text("Class").starts_with("user"), text("State")) {
            (false, _) => State::Elsewhere,
            (true, "closing") => State::Over,
            (true, _) => State::There,
        })
    }
}

/// What a session says of its user.
enum State {
    There,
    /// The user has left: what still runs is ending, or was left behind.
    Over,
    /// It has ended since it was listed.
    Ended,
    /// Nobody sits there.
    Elsewhere,
}

/// Whether this is what is answered about a session that has ended.
fn has_ended(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(error) => matches!(**error, zbus::fdo::Error::UnknownObject(_)),
        zbus::Error::MethodError(name, ..) => name.as_str() == NO_SUCH_SESSION,
        _ => false,
    }
}

fn is_among(rows: &[SessionRow], session: &OwnedObjectPath) -> bool {
    rows.iter().any(|(.., path)| path == session)
}

fn session_of(signal: &Message) -> zbus::Result<OwnedObjectPath> {
    let (_id, path): (String, OwnedObjectPath) = signal.body().deserialize()?;
    Ok(path)
}
