//! A service in a directory of its own, and what it holds.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::sync_channel;

use serde::Serialize;
use tempfile::TempDir;
use tokenvault_core::caller::Door;
use tokenvault_core::issued::{Audience, Checked, IssueRequest, NewKind};
use tokenvault_core::name::{Attributes, TokenName};
use tokenvault_core::port::SecretMemory;
use tokenvault_core::token::{PutOptions, PutRequest};
use tokenvault_core::vault::{NewSlot, Vault, daemon};
use tokenvault_core::{Caller, Secret};
use tokenvault_proto::ValidateOptions;
use tokenvault_store::{SqliteStore, StoreOptions};
use zbus::message::Builder;
use zbus::names::UniqueName;
use zbus::{Connection, Guid, Message, Type, Variant, fdo, interface};

use super::super::*;
use crate::bus::{HotCalls, decode_issued};
use crate::caller::{BusCallers, Identity, Limiter, Users};
use crate::clock::SystemClock;
use crate::config::{Limits, Source, load};
use crate::fast_path;
use crate::groups::Groups;
use crate::host_key::HostKeyFile;
use crate::login::Logins;
use crate::message::header::Header;
use crate::reload::{pipe_limits, vault_settings};
use crate::service::{Parts, Service};
use crate::sys::arena::LockedArena;
use crate::sys::listen::Passed;
use crate::tpm::{HeardSealer, WorkerSealer};
use crate::value::{BusPlace, PipeLimits, Pipes};

/// Who calls: `nobody`, whom every user database knows.
pub const UID: u32 = 65_534;
/// Reads of one uid a second, and calls in flight.
const ONE: u64 = 1;

/// A service with the fast paths of one connection.
pub struct Home {
    pub service: Arc<Service>,
    path: HotCalls,
    held: Vec<&'static str>,
    _bus: Option<Connection>,
    _dir: TempDir,
}

impl Home {
    /// With an open vault, at its private door.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let file = dir.path().join("empty.conf");
        std::fs::write(&file, "").unwrap();
        let source = Source::File(file);
        let mut config = load(&source).unwrap();
        config.limits = Limits { in_flight: ONE, reads_per_second: ONE, ..Limits::default() };
        let arena = LockedArena::new(LockedArena::DEFAULT_CAP);
        let memory: Arc<dyn SecretMemory> = Arc::new(arena.clone());
        let users = Users::default();
        let settings = vault_settings(&config, &Groups::default());
        let store = Arc::new(SqliteStore::open(dir.path(), StoreOptions::default()).unwrap());
        let vault = Vault::new(store, Arc::clone(&memory), Arc::new(SystemClock::new().unwrap()), settings);
        vault.look("there is none yet").unwrap();
        let host_key = HostKeyFile::new(dir.path(), Arc::clone(&memory));
        vault.create(&daemon(), &NewSlot::HostKey(&host_key.load_or_make().unwrap())).unwrap();
        let no_tpm = WorkerSealer::new("/nonexistent", "", Arc::clone(&memory));
        let service = Service::new(Parts {
            vault,
            pipes: Pipes::new(pipe_limits(&config), memory).unwrap(),
            limiter: Limiter::new(config.limits.clone()),
            users,
            sealer: HeardSealer::new(Arc::new(no_tpm)),
            arena,
            host_key,
            source,
            logins: Logins::new(&mut Passed::default()).unwrap(),
            config,
            groups: Groups::default(),
        });
        let path = HotCalls::new(&service, &Front::Socket(identity(Door::Socket)));
        Self { service, path, held: Vec::new(), _bus: None, _dir: dir }
    }

    /// The same on a bus that has said who `:1.7` is.
    pub async fn on_a_bus(mut self) -> Self {
        let (bus, asking) = UnixStream::pair().unwrap();
        let bus = zbus::connection::Builder::unix_stream(bus).server(Guid::generate()).p2p();
        let bus = bus.serve_at("/org/freedesktop/DBus", Bus).build();
        let asking = zbus::connection::Builder::unix_stream(asking).p2p().build();
        let (bus, asking) = tokio::join!(bus, asking);
        let callers = BusCallers::new(fdo::DBusProxy::new(&asking.unwrap()).await.unwrap());
        callers.identity(&UniqueName::from_static_str_unchecked(":1.7")).await.unwrap();
        self.path = HotCalls::new(&self.service, &Front::Bus(Arc::new(callers)));
        self._bus = Some(bus.unwrap());
        self
    }

    /// Has the user database asked who calls.
    pub async fn known(&self) {
        self.service.users.name(UID).await.unwrap();
    }

    /// Stores a token of the caller's. Then all of them lie opened.
    pub fn hold(&mut self, name: &'static str, value: &[u8], options: PutOptions) {
        let request = PutRequest { name: TokenName::parse(name).unwrap(), options, value: self.secret(value) };
        wait(|reply| self.service.vault.put(&caller(), request, reply));
        self.held.push(name);
        self.held.iter().for_each(|name| drop(self.info(name)));
        self.write_down();
    }

    /// What is known of a token, by fetching it.
    pub fn info(&self, name: &str) -> Arc<TokenInfo> {
        let options = GetOptions { purpose: Some("to have it opened".into()), ..GetOptions::default() };
        let request = decode::get_own(name, options).unwrap().unwrap();
        self.service.vault.get(&caller(), &request, Ok).unwrap().info
    }

    /// Issues a token to the caller, and has it lie opened where it may; its text.
    pub fn issue(&self, claims: Attributes) -> String {
        let issued = wait(|reply| {
            let request = IssueRequest {
                kind: NewKind::Token,
                subject: Default::default(),
                audience: Audience::Text(String::new()),
                scopes: Default::default(),
                claims,
                ttl: 3_600_000_000,
                uses: None,
            };
            self.service.vault.issue(&caller(), request, reply);
        });
        let request = decode_issued::validate(&issued.token, ValidateOptions::default()).unwrap();
        assert!(matches!(self.service.vault.validate(&caller(), &request, None), Ok(Checked::Valid(..))));
        self.write_down();
        issued.token.to_string()
    }

    pub fn secret(&self, bytes: &[u8]) -> Secret {
        Secret::copy_from(self.service.vault.memory(), bytes).unwrap()
    }

    pub fn limit_pipes(&self, per_uid: usize) {
        self.service.pipes.set_limits(PipeLimits { per_uid, ..PipeLimits::default() });
    }

    /// All places on the bus it may have.
    pub fn take_places(&self) -> Vec<BusPlace> {
        std::iter::from_fn(|| self.service.pipes.free_bus_place(UID)).collect()
    }

    /// What the fast path makes of a call.
    pub fn answer(&self, call: &Message) -> Option<Reply> {
        let bytes = call.data().bytes();
        let header = Header::measure(bytes).unwrap().unwrap();
        assert!(fast_path::may_answer(&header), "nobody would ask");
        fast_path::answer(&self.path, &header, bytes)
    }

    /// Checks that a call is not answered, leaves no pipe, and nothing to write down.
    #[track_caller]
    pub fn leaves_alone(&self, call: &Message) {
        self.write_down();
        let before = self.unread();
        assert!(self.answer(call).is_none(), "{call:?}");
        assert_eq!((self.unread(), self.waiting()), (before, 0), "{call:?}");
    }

    /// Checks that nothing is in flight and no read was paid for; from then on reads are free.
    #[track_caller]
    pub fn was_left_alone(&self) {
        self.service.limiter.enter(UID).expect("nothing is in flight");
        self.service.limiter.pay(UID, Kind::Read).expect("no read was paid for");
        self.lift_rate();
    }

    /// Has reads cost nothing.
    pub fn lift_rate(&self) {
        self.service.limiter.set_limits(Limits { reads_per_second: 0, ..self.service.config().limits.clone() });
    }

    /// Writes down what was noted.
    pub fn write_down(&self) {
        wait(|reply| self.service.vault.flush_audit(true, reply));
        assert_eq!(self.waiting(), 0);
    }

    /// Records that wait to be written down.
    pub fn waiting(&self) -> usize {
        self.service.vault.audit_waiting()
    }

    /// Pipes that are unread.
    pub fn unread(&self) -> usize {
        self.service.pipes.unread().0
    }
}

fn identity(door: Door) -> Identity {
    Identity { uid: UID, gids: [UID].into(), pid: None, door, contained: false }
}

pub fn caller() -> Caller {
    identity(Door::Socket).named("nobody".into())
}

/// Makes a request that answers from the writer's thread, and waits for the answer.
fn wait<T: Send + 'static>(request: impl FnOnce(tokenvault_core::vault::Reply<T>)) -> T {
    let (sender, receiver) = sync_channel(1);
    request(Box::new(move |result| drop(sender.send(result))));
    receiver.recv().unwrap().unwrap()
}

/// Attributes of about so many bytes.
pub fn attributes(bytes: usize) -> Attributes {
    let pairs = (0..bytes / 500).map(|number| (format!("k{number}"), "v".repeat(500)));
    Attributes::parse(pairs.collect()).unwrap()
}

/// A call of a method of the tokens' interface.
pub fn call(member: &'static str) -> Builder<'static> {
    Message::method_call(OBJECT_PATH, member).interface(TOKENS_INTERFACE)
}

pub fn build<T: Serialize + Type>(call: Builder<'static>, arguments: &T) -> Message {
    call.build(arguments).unwrap()
}

/// A call of `Get` without options.
pub fn get(name: &str) -> Message {
    build(call("Get"), &(name, BTreeMap::<&str, Variant<'_>>::new()))
}

/// The same of token `a`, as a bus says who sent it.
pub fn get_from(sender: &'static str) -> Message {
    build(call("Get").sender(sender), &("a", BTreeMap::<&str, Variant<'_>>::new()))
}

/// The bus, as far as it says who somebody is.
struct Bus;

#[interface(name = "org.freedesktop.DBus")]
impl Bus {
    async fn get_connection_credentials(&self, name: &str) -> BTreeMap<&'static str, Variant<'static>> {
        assert_eq!(name, ":1.7");
        BTreeMap::from([("UnixUserID", UID.into())])
    }
}
