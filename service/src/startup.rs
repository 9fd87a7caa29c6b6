//! Puts the daemon together: the only file that knows all concrete types.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sd_notify::NotifyState;
use tokenvault_core::port::{SecretMemory, Store, StoreError};
use tokenvault_core::vault::Vault;
use tokenvault_store::{SqliteStore, StoreOptions};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use zbus::export::async_trait::async_trait;

use crate::bus::{Front, HotCalls, encode, hands_out, is_served, serve};
use crate::caller::{Identity, Kind, Limiter, UserError, Users, is_contained};
use crate::clock::SystemClock;
use crate::config::{Config, Source};
use crate::credential::{self, CredentialDoor, Ending};
use crate::deleted::{self, NoteDirectory};
use crate::door::{self, Peer, PrivateDoor, Unread, Welcome, bind};
use crate::groups::{self, Groups};
use crate::host_key::HostKeyFile;
use crate::login::Logins;
use crate::message::Called;
use crate::reload::{pipe_limits, reload, vault_settings};
use crate::service::{Parts, Service};
use crate::signals::{Listening, Signals, Told};
use crate::sys::arena::LockedArena;
use crate::sys::listen::Passed;
use crate::tpm::{HeardSealer, WorkerSealer};
use crate::unusable::UnusableStore;
use crate::value::{Claim, Pipes};
use crate::{bus_link, expiry, jobs, journal, login, renamed, retention, verification};

/// How long callers wait for the first attempt at the TPM before they are told that the vault is sealed, and the service
/// manager for that at the bus before it hears that the daemon answers.
const FIRST_ATTEMPT: Duration = Duration::from_secs(3);
/// What the doors get to finish what is under way at a stop.
const LAST_REPLIES: Duration = Duration::from_secs(5);
/// What units get to be refused when the daemon is to end at once.
const LAST_REFUSALS: Duration = Duration::from_secs(1);
/// What the disk gets to take the last audit records at a stop.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// Writes that may wait, whatever is configured.
const QUEUE_MAX: usize = 65_536;
/// Room in the writer's queue for what the daemon writes itself.
const QUEUE_SPARE: usize = 64;
/// Name systemd gives the private socket it passes.
const PRIVATE_SOCKET: &str = "private";
/// Everyone comes in there: authority is the peer's uid.
const PRIVATE_MODE: u32 = 0o666;

/// Why the daemon ended, and what it tells the service manager.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A newer release wrote the store: starting again changes nothing.
    #[error("{0}; install that release or a newer one")]
    Newer(StoreError),
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] crate::config::ConfigError),
    /// Something the daemon cannot be without.
    #[error("{0}")]
    Fatal(String),
}

impl Stop {
    /// Exit status, after sysexits.h. The unit does not restart the daemon for the first two.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Newer(_) => 65,
            Self::Config(_) => 78,
            Self::Fatal(_) => 69,
        }
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// See [`Stop`].
pub async fn run(config: Config, source: Source, signals: Signals) -> Result<(), Stop> {
    let fatal = |what: &'static str| move |error: std::io::Error| Stop::Fatal(format!("{what}: {error}"));
    let mut signals = signals.listen().map_err(fatal("signals"))?;
    let mut passed = Passed::all();
    let arena = LockedArena::new(LockedArena::DEFAULT_CAP);
    let memory: Arc<dyn SecretMemory> = Arc::new(arena.clone());
    let users = Users::default();
    let (store, database) = open_store(&config)?;
    let groups = Groups::look_up(&users, &config, &Groups::default()).await;
    if groups.health() != "ok" {
        log::warn!("{}", groups.health());
    }
    let settings = vault_settings(&config, &groups);
    let clock = SystemClock::new().map_err(|error| Stop::Fatal(format!("no random numbers: {error}")))?;
    let vault = Vault::new(store, Arc::clone(&memory), Arc::new(clock), settings);
    vault.heed_notes_of(NoteDirectory::beside(&config.state_dir));
    // A store that cannot be read is told of by the vault's state.
    let _told = vault.look("no TPM was asked yet");
    let service = Service::new(Parts {
        vault,
        pipes: Pipes::new(pipe_limits(&config), Arc::clone(&memory)).map_err(fatal("pipes"))?,
        limiter: Limiter::new(config.limits.clone()),
        users,
        sealer: HeardSealer::new(Arc::new(WorkerSealer::new(
            config.worker.clone(),
            config.tcti.clone(),
            Arc::clone(&memory),
        ))),
        arena,
        host_key: HostKeyFile::new(&config.state_dir, memory),
        source,
        logins: Logins::new(&mut passed).map_err(|error| Stop::Fatal(format!("no memory file: {error}")))?,
        config: config.clone(),
        groups,
    });
    service.resume_leases(&mut passed);
    tell_subscribers(&service);

    let (stop, stopping) = watch::channel(false);
    let (cut, cut_off) = watch::channel(false);
    let door = open_door(&service, &config, stopping.clone(), &mut passed)?;
    let credentials = open_credentials(&service, &config, &mut passed)?;
    // Before anybody is let in: who had the daemon started by a call wants the answer, and not to hear that he should wait.
    open_vault(&service).await;
    let door = tokio::spawn(door.run());
    let ending = Ending::new(stopping.clone(), cut_off);
    let credentials = tokio::spawn(async move {
        if let Some(door) = credentials {
            door.run(ending).await;
        }
    });
    let bus = start_jobs(&service, &config, database, stopping).await;
    announce(&service);

    while signals.next().await == Told::Reload {
        journal::notify(&[NotifyState::Reloading]);
        // What is wrong with a bad configuration was logged; the old one goes on.
        let _reported = reload(&service).await;
        journal::notify(&[NotifyState::Ready]);
    }

    journal::notify(&[NotifyState::Stopping]);
    log::info!("stopping");
    stop.send_replace(true);
    tokio::select! {
        ended = finish(&service, [door, credentials, bus]) => ended,
        () = told_again(&mut signals) => {
            cut.send_replace(true);
            // Units only: what is not refused would start with an empty credential.
            let _refused = tokio::time::timeout(LAST_REFUSALS, cut.closed()).await;
            Err(Stop::Fatal(
                "told to stop again and ended at once: calls may have no reply, and the last audit records may be lost".into(),
            ))
        }
    }
}

/// Closes the doors, then commits what the audit log still holds: in this order, so that nothing is answered that it no
/// longer takes. Neither a client nor a disk that hangs makes it wait for ever; the store itself is closed with the runtime,
/// on whose threads its last owners are, and `main` gives that a second.
async fn finish(service: &Arc<Service>, [mut door, mut credentials, mut bus]: [JoinHandle<()>; 3]) -> Result<(), Stop> {
    let closed = async { tokio::join!(&mut door, &mut credentials, &mut bus) };
    if tokio::time::timeout(LAST_REPLIES, closed).await.is_err() {
        log::warn!("some connections did not end in time and are closed");
        for open in [door, credentials, bus].into_iter().filter(|door| !door.is_finished()) {
            open.abort();
            // It says that it was cut off.
            let _ = open.await;
        }
    }
    service.operations.cancel_all();
    service.ending.store(true, Ordering::Relaxed);
    let last_words = async {
        jobs::flush_last(service).await;
        retention::note_time(service).await;
        retention::tell_last_head(service).await;
    };
    tokio::time::timeout(LAST_FLUSH, last_words).await.map_err(|_| {
        let seconds = LAST_FLUSH.as_secs();
        Stop::Fatal(format!("the disk did not answer for {seconds} s; the last audit records were lost"))
    })
}

/// Waits until the daemon is told to stop once more.
async fn told_again(signals: &mut Listening) {
    while signals.next().await == Told::Reload {}
}

/// The store as the vault sees it, and the database behind it where there is one.
type OpenStore = (Arc<dyn Store>, Option<Arc<SqliteStore>>);

fn open_store(config: &Config) -> Result<OpenStore, Stop> {
    // As long as calls may be in flight, and what is over that limit was refused before. A call that is given up leaves its
    // write behind: where many are, the next one is refused by the name of the same limit.
    let queue = match usize::try_from(config.limits.in_flight_total) {
        Ok(0) | Err(_) => QUEUE_MAX,
        Ok(calls) => calls.saturating_add(QUEUE_SPARE).min(QUEUE_MAX),
    };
    let options = StoreOptions { queue, store_bytes: config.limits.store_bytes, ..StoreOptions::default() };
    match SqliteStore::open(&config.state_dir, options) {
        Ok(store) => {
            let store = Arc::new(store);
            Ok((Arc::<SqliteStore>::clone(&store), Some(store)))
        }
        Err(error @ StoreError::Newer { .. }) => Err(Stop::Newer(error)),
        Err(error @ StoreError::Held) => Err(Stop::Fatal(format!("{error}; stop it first"))),
        Err(error) => {
            log::error!("{}: {error}", config.state_dir.display());
            Ok((Arc::new(UnusableStore::new(&error)), None))
        }
    }
}

fn open_door(
    service: &Arc<Service>,
    config: &Config,
    stop: watch::Receiver<bool>,
    passed: &mut Passed,
) -> Result<PrivateDoor, Stop> {
    let path = config.socket_path();
    let failed = |error: std::io::Error| Stop::Fatal(format!("the private socket {}: {error}", path.display()));
    let socket = match passed.take_listener(PRIVATE_SOCKET) {
        Some(listener) => listener.into(),
        None => bind(&path, PRIVATE_MODE).map_err(failed)?,
    };
    let limits = service.door_limits();
    PrivateDoor::new(socket, limits, stop, Arc::new(Host(Arc::clone(service)))).map_err(failed)
}

fn open_credentials(
    service: &Arc<Service>,
    config: &Config,
    passed: &mut Passed,
) -> Result<Option<CredentialDoor>, Stop> {
    let path = config.credentials_path();
    let failed = |error: std::io::Error| Stop::Fatal(format!("the credentials socket {}: {error}", path.display()));
    let socket = credential::listen(&path, passed).map_err(failed)?;
    socket.map(|socket| CredentialDoor::new(socket, Arc::clone(service)).map_err(failed)).transpose()
}

/// The vault behind the private door.
struct Host(Arc<Service>);

#[async_trait]
impl door::Host for Host {
    fn welcome(&self, peer: &Peer) -> Welcome {
        let identity = Identity {
            uid: peer.uid,
            gids: Arc::clone(&peer.gids),
            pid: peer.pid,
            door: tokenvault_core::caller::Door::Socket,
            contained: is_contained(peer.uid, peer.pid),
        };
        let (front, service) = (Front::Socket(identity), Arc::clone(&self.0));
        Welcome {
            fast_path: Some(Arc::new(HotCalls::new(&self.0, &front))),
            serve: Box::new(move |builder| serve(builder, &service, front)),
        }
    }

    fn is_known(&self, uid: u32) -> bool {
        self.0.users.remembers(uid)
    }

    async fn knows(&self, uid: u32) -> Option<bool> {
        match self.0.users.name(uid).await {
            Ok(_) => Some(true),
            Err(UserError::Unknown) => Some(false),
            Err(UserError::Unavailable(_)) => None,
        }
    }

    fn admits(&self, uid: u32, call: &Called<'_>) -> bool {
        // What the desk counts it refuses where it must; the others wait here, Pings too: answering any number of them that come at
        // once keeps the threads from everyone else.
        is_served(call) || self.0.limiter.pay(uid, Kind::Read).is_ok()
    }

    async fn claim(&self, uid: u32, call: &Called<'_>) -> Result<Option<Claim>, Unread> {
        // While it is sealed there is no value to wait for.
        if !hands_out(call) || self.0.vault.check_open().is_err() {
            return Ok(None);
        }
        self.0.pipes.claim(uid).await.map(Some).map_err(|_| {
            self.0.pace.note_refusal(uid);
            Unread
        })
    }

    fn silence(&self, uid: u32) -> Duration {
        self.0.pace.silence(uid)
    }
}

/// Has subscribers told what the vault and its work have to say.
fn tell_subscribers(service: &Arc<Service>) {
    let (subscriptions, expiry_changed) = (Arc::clone(&service.subscriptions), Arc::clone(&service.expiry_changed));
    service.vault.on_announcement(move |announcement| {
        if expiry::is_affected(&announcement) {
            expiry_changed.notify_one();
        }
        subscriptions.announce(announcement);
    });
    let subscriptions = Arc::clone(&service.subscriptions);
    service.operations.on_change(move |uid, view| subscriptions.tell_operation(uid, encode::operation(view)));
}

/// Starts opening the vault, and waits a moment for the first attempt.
async fn open_vault(service: &Arc<Service>) {
    let tried = Arc::new(Notify::new());
    tokio::spawn(jobs::keep_opening(Arc::clone(service), Arc::clone(&tried)));
    if tokio::time::timeout(FIRST_ATTEMPT, tried.notified()).await.is_err() {
        log::warn!("the TPM takes long; answering meanwhile");
    }
}

/// Starts everything else that runs beside the doors, and waits a moment for the first attempt at the bus.
/// The task that keeps the daemon on the bus ends when `stop` becomes true.
async fn start_jobs(
    service: &Arc<Service>,
    config: &Config,
    database: Option<Arc<SqliteStore>>,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let joined = Arc::new(Notify::new());
    tokio::spawn(jobs::commit_audit(Arc::clone(service)));
    tokio::spawn(retention::keep_short(Arc::clone(service)));
    tokio::spawn(retention::tell_head(Arc::clone(service)));
    tokio::spawn(retention::keep_time(Arc::clone(service)));
    tokio::spawn(deleted::heed(Arc::clone(service)));
    tokio::spawn(renamed::watch(Arc::clone(service)));
    tokio::spawn(expiry::tell(Arc::clone(service)));
    let bus = tokio::spawn(bus_link::keep(Arc::clone(service), config.bus.clone(), Arc::clone(&joined), stop));
    tokio::spawn(groups::keep(Arc::clone(service)));
    tokio::spawn(login::watch(Arc::clone(service), config.bus.clone()));
    if tokio::time::timeout(FIRST_ATTEMPT, joined.notified()).await.is_err() {
        log::warn!("the bus takes long; answering meanwhile");
    }
    // Not before: until slots or TPM were tried there is nothing to tell.
    tokio::spawn(journal::tell(Arc::clone(service)));
    if let Some(store) = database {
        tokio::spawn(jobs::verify_structure(Arc::clone(service), store));
    }
    tokio::spawn(verification::keep(Arc::clone(service)));
    tokio::spawn(jobs::feed_watchdog(Arc::clone(service)));
    let memory = service.memory_health();
    if memory != "ok" {
        log::warn!("keys and values could be swapped out: {memory}");
    }
    bus
}

/// One line for whoever started the daemon and looks, and the word the service manager waits for.
fn announce(service: &Service) {
    let status = service.vault.status();
    let (socket, state) = (service.config().socket_path(), status.state.as_str());
    log::info!(MESSAGE_ID = journal::event::STARTED; "answering at {}; the vault is {state}", socket.display());
    journal::notify(&[NotifyState::Ready, NotifyState::Status(&journal::line(&status))]);
}
