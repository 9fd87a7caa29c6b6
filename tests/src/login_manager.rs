//! What stands for the login manager (`org.freedesktop.login1`) on the bus of a test: it has the sessions it is told of. The real
//! one needs a booted machine.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zbus::connection::Builder;
use zbus::{Connection, OwnedObjectPath};

use crate::{ROOT, User, Vault, wait};

/// Its name on a bus.
pub const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const INTERFACE: &str = "org.freedesktop.login1.Manager";
/// Sessions there can ever be.
const ROOM: usize = 8;

/// A session, by its number.
#[derive(Debug, Clone, Copy)]
struct Session {
    user: User,
    class: &'static str,
    is_closing: bool,
}

/// What was begun, ended ones as `None`, and who was looked at.
#[derive(Debug, Default)]
struct Sessions {
    all: Vec<Option<Session>>,
    seen: HashSet<usize>,
    /// How often somebody asked for all of them.
    looks: usize,
    /// Whether it lists one more, which ends before it is looked at.
    has_one_that_ends: bool,
    /// Whether it does not say.
    refuses: bool,
}

type Shared = Arc<Mutex<Sessions>>;
type Row = (String, u32, String, String, OwnedObjectPath);

struct Manager(Shared);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn list_sessions(&self) -> zbus::fdo::Result<Vec<Row>> {
        let mut sessions = self.0.lock().unwrap();
        sessions.looks += 1;
        if sessions.refuses {
            return Err(zbus::fdo::Error::Failed("not now".into()));
        }
        let there = sessions.all.iter().enumerate().filter_map(|(number, session)| Some((number, (*session)?)));
        let row =
            |(number, Session { user, .. })| (id(number), user.uid, user.name.to_owned(), String::new(), path(number));
        let ends = (id(ROOM), ROOT.uid, ROOT.name.to_owned(), String::new(), path(ROOM));
        Ok(there.map(row).chain(sessions.has_one_that_ends.then_some(ends)).collect())
    }
}

struct OneSession(Shared, usize);

impl OneSession {
    fn session(&self) -> zbus::fdo::Result<Session> {
        let mut sessions = self.0.lock().unwrap();
        sessions.seen.insert(self.1);
        let session = sessions.all.get(self.1).copied().flatten();
        session.ok_or_else(|| zbus::fdo::Error::UnknownObject("it has ended".into()))
    }
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl OneSession {
    #[zbus(property)]
    fn class(&self) -> zbus::fdo::Result<String> {
        Ok(self.session()?.class.to_owned())
    }

    #[zbus(property)]
    fn state(&self) -> zbus::fdo::Result<String> {
        Ok(if self.session()?.is_closing { "closing" } else { "active" }.to_owned())
    }
}

fn id(number: usize) -> String {
    format!("c{number}")
}

fn path(number: usize) -> OwnedObjectPath {
    format!("{PATH}/session/c{number}").try_into().expect("an object path")
}

/// One on the bus of a vault; gone when dropped.
pub struct LoginManager {
    sessions: Shared,
    tell: Option<UnboundedSender<(&'static str, usize)>>,
    thread: Option<JoinHandle<()>>,
}

impl LoginManager {
    /// Starts it with sessions that there are already, as after a restart of it.
    pub fn on_the_bus_of(vault: &Vault, users: &[(User, &'static str)]) -> Self {
        let all = users.iter().map(|(user, class)| Some(Session { user: *user, class, is_closing: false })).collect();
        let sessions = Arc::new(Mutex::new(Sessions { all, ..Sessions::default() }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut builder = Builder::address(vault.bus_address().as_str()).serve_at(PATH, Manager(Arc::clone(&sessions)));
        for number in 0..ROOM {
            builder = builder.serve_at(path(number), OneSession(Arc::clone(&sessions), number));
        }
        let connection = runtime.block_on(builder.name(NAME).build()).expect("the bus lets it in");
        let (tell, mut told) = unbounded_channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                while let Some((signal, number)) = told.recv().await {
                    emit(&connection, signal, number).await;
                }
            });
        });
        Self { sessions, tell: Some(tell), thread: Some(thread) }
    }

    /// Begins a session, and waits until the daemon has looked at it; its number.
    pub fn begin(&self, user: User, class: &'static str) -> usize {
        let number = {
            let mut sessions = self.sessions.lock().unwrap();
            sessions.all.push(Some(Session { user, class, is_closing: false }));
            sessions.all.len() - 1
        };
        assert!(number < ROOM, "no room for another session");
        self.say("SessionNew", number);
        wait::until("the session to be looked at", || {
            self.sessions.lock().unwrap().seen.contains(&number).then_some(())
        });
        number
    }

    /// Has a session closing: its programs are still ending. Nothing is said of it.
    pub fn close(&self, number: usize) {
        self.sessions.lock().unwrap().all[number].as_mut().expect("it has ended").is_closing = true;
    }

    /// Ends a session.
    pub fn end(&self, number: usize) {
        self.sessions.lock().unwrap().all[number] = None;
        self.say("SessionRemoved", number);
    }

    /// From now on there is always one among its sessions that has ended by the time it is looked at.
    pub fn has_one_that_ends(&self) {
        self.sessions.lock().unwrap().has_one_that_ends = true;
    }

    /// Whether it refuses to say what sessions there are.
    pub fn refuses(&self, refuses: bool) {
        self.sessions.lock().unwrap().refuses = refuses;
    }

    /// How often it was asked for its sessions.
    pub fn looks(&self) -> usize {
        self.sessions.lock().unwrap().looks
    }

    fn say(&self, signal: &'static str, number: usize) {
        self.tell.as_ref().expect("until it is dropped").send((signal, number)).expect("it runs");
    }
}

async fn emit(connection: &Connection, signal: &str, number: usize) {
    let body = (id(number), path(number));
    connection.emit_signal(None::<&str>, PATH, INTERFACE, signal, &body).await.expect("a signal");
}

impl Drop for LoginManager {
    fn drop(&mut self) {
        self.tell = None;
        // A panic of its own it has told already.
        self.thread.take().map(JoinHandle::join);
    }
}
