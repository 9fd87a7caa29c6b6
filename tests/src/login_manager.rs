//! What stands for the login manager (`org.freedesktop.login1`) on the bus of a test: it has the sessions it is told, and tells
//! of their beginning and their end, and of nothing in between. The real one needs a booted machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use zbus::connection::Builder;
use zbus::{Connection, ObjectPath, OwnedObjectPath};

use crate::{User, Vault};

/// Its name on a bus.
pub const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";

/// Sessions by their ids: whose, and whether they are closing.
type Sessions = Arc<Mutex<BTreeMap<&'static str, (User, bool)>>>;

struct Manager(Sessions, Arc<AtomicUsize>);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let sessions = self.0.lock().unwrap();
        let row = |(id, (user, _)): (&&str, &(User, bool))| {
            ((*id).to_owned(), user.uid, user.name.to_owned(), String::new(), path(id).into())
        };
        sessions.iter().map(row).collect()
    }
}

struct Session(&'static str, Sessions);

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn class(&self) -> String {
        "user".into()
    }

    #[zbus(property)]
    fn state(&self) -> String {
        let is_closing = self.1.lock().unwrap().get(self.0).is_some_and(|(_, is_closing)| *is_closing);
        if is_closing { "closing" } else { "active" }.into()
    }
}

fn path(id: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(format!("{PATH}/session/{id}")).unwrap()
}

/// One on the bus of a vault; gone when dropped.
pub struct LoginManager {
    sessions: Sessions,
    looks: Arc<AtomicUsize>,
    connection: Connection,
    runtime: Runtime,
}

impl LoginManager {
    /// Starts it, without a session.
    pub fn on_the_bus_of(vault: &Vault) -> Self {
        let sessions = Sessions::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let builder = Builder::address(vault.bus_address().as_str());
        let looks = Arc::<AtomicUsize>::default();
        let builder = builder.serve_at(PATH, Manager(Arc::clone(&sessions), Arc::clone(&looks))).name(NAME);
        let connection = runtime.block_on(builder.build()).expect("the bus lets it in");
        Self { sessions, looks, connection, runtime }
    }

    /// Somebody has logged in.
    pub fn begin(&self, id: &'static str, user: User) {
        self.sessions.lock().unwrap().insert(id, (user, false));
        let session = Session(id, Arc::clone(&self.sessions));
        self.runtime.block_on(self.connection.object_server().at(path(id), session)).unwrap();
        self.tell("SessionNew", id);
    }

    /// Somebody has logged out, and something of the session still runs. Nobody is told.
    pub fn close(&self, id: &'static str) {
        self.sessions.lock().unwrap().get_mut(id).unwrap().1 = true;
    }

    /// The last process of a session has ended.
    pub fn end(&self, id: &'static str) {
        self.sessions.lock().unwrap().remove(id).unwrap();
        self.runtime.block_on(self.connection.object_server().remove::<Session, _>(path(id))).unwrap();
        self.tell("SessionRemoved", id);
    }

    /// How often it was asked for its sessions.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    fn tell(&self, signal: &str, id: &str) {
        let what = (id, path(id));
        self.runtime.block_on(self.connection.emit_signal(None::<()>, PATH, MANAGER, signal, &what)).unwrap();
    }
}
