//! One vault with everything around it, in one temporary directory.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;
use tokenvault_client::Client;
use tokenvault_proto::{ADDRESS_VARIABLE, Address, Status};

use crate::bus::TestBus;
use crate::config::{Places, Settings};
use crate::daemon::{BY_MANAGER, Daemon};
use crate::door::Door;
use crate::notify::Notifications;
use crate::process::Process;
use crate::service_manager::ServiceManager;
use crate::swtpm::Swtpm;
use crate::user::{DAEMON, ROOT, User, UserDatabase, require_root};
use crate::wire::Wire;
use crate::{program, wait};

/// What a test wants to start.
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    with_bus: bool,
    with_tpm: bool,
    with_credentials: bool,
}

impl Builder {
    /// The service manager passes the socket that it fetches credentials from.
    pub fn with_credentials(mut self) -> Self {
        self.with_credentials = true;
        self
    }

    /// Sets a key of `[limits]`.
    pub fn limit(mut self, key: &'static str, value: u64) -> Self {
        self.settings.limits.insert(key, value);
        self
    }

    /// Sets a key of `[users]`.
    pub fn users(mut self, key: &'static str, value: &'static str) -> Self {
        self.settings.users.insert(key, value);
        self
    }

    /// Gives a role in `[users.roles]`.
    pub fn role(mut self, role: &'static str, named: &[&'static str]) -> Self {
        self.settings.roles.insert(role, named.to_vec());
        self
    }

    /// Allows the `host-key` slot.
    pub fn allow_host_key(mut self) -> Self {
        self.settings.allow_host_key = true;
        self
    }

    /// Raises the TPM's counter at once.
    pub fn counts_at_once(mut self) -> Self {
        self.settings.anchor_seconds = Some(0);
        self
    }

    /// Puts lines at the top of the configuration.
    pub fn extra(mut self, lines: &str) -> Self {
        self.settings.extra = format!("{lines}\n");
        self
    }

    /// The bus is not there yet; [`Vault::start_bus`] brings it.
    pub fn without_bus(mut self) -> Self {
        self.with_bus = false;
        self
    }

    /// The TPM is not there yet; [`Vault::start_tpm`] brings it.
    pub fn without_tpm(mut self) -> Self {
        self.with_tpm = false;
        self
    }

    /// Starts everything and waits until the daemon answers.
    pub fn start(self) -> Vault {
        let mut vault = self.prepare();
        vault.start_daemon();
        vault
    }

    /// Everything but the daemon.
    pub fn prepare(self) -> Vault {
        require_root();
        let directory = tempfile::Builder::new()
            .prefix("tokenvault-test.")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        let root = directory.path();
        for (name, mode) in [("state", 0o700), ("run", 0o755)] {
            let path = root.join(name);
            fs::create_dir(&path).expect("a directory of the vault");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
            chown(&path, Some(DAEMON.uid), Some(DAEMON.uid)).expect("its owner");
        }
        let users = UserDatabase::write(root).expect("the user database");
        let mut vault = Vault {
            daemon: None,
            bus: self.with_bus.then(|| TestBus::start(root, &users)),
            tpm: Swtpm::reserve(&root.join("tpm")),
            notify: Notifications::listen(root).expect("the notification socket"),
            users,
            credentials: self.with_credentials.then(|| ServiceManager::listen(root)),
            settings: self.settings,
            directory,
        };
        if self.with_tpm {
            vault.start_tpm();
        }
        vault
    }
}

/// A vault under test. Fields end in the order they are declared: the daemon before what it talks to.
#[derive(Debug)]
pub struct Vault {
    daemon: Option<Daemon>,
    bus: Option<TestBus>,
    tpm: Swtpm,
    notify: Notifications,
    users: UserDatabase,
    credentials: Option<ServiceManager>,
    settings: Settings,
    directory: TempDir,
}

impl Vault {
    /// A vault with the default limits, a TPM and a bus, serving.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A vault that is not quite like that.
    pub fn builder() -> Builder {
        Builder { settings: Settings::default(), with_bus: true, with_tpm: true, with_credentials: false }
    }

    /// Opens a client of the library as `user`. The connection is made here, so it is that user's for good.
    pub fn client(&self, user: User, door: Door) -> Client {
        self.client_if_up(user, door).expect("the vault does not answer")
    }

    /// The same where the daemon may be gone.
    pub fn client_if_up(&self, user: User, door: Door) -> Option<Client> {
        let address = self.address(door);
        let client = user.run(|| {
            let client = Client::open(Some(&address)).ok()?;
            // A client connects at its first call, and with whoever makes it.
            client.status().ok().map(|_| client)
        })?;
        assert_eq!(client.who_am_i().ok()?.uid, user.uid);
        Some(client)
    }

    /// The same with one more group.
    pub fn client_in(&self, user: User, gid: u32, door: Door) -> Client {
        let address = self.address(door);
        user.run_in(gid, || {
            let client = Client::open(Some(&address)).expect("a client");
            client.status().expect("the vault does not answer");
            client
        })
    }

    /// Opens a connection on which a test says whatever it likes, as `user`.
    pub fn wire(&self, user: User, door: Door) -> Wire {
        Wire::open(self, user, door)
    }

    /// The D-Bus address of the bus.
    pub fn bus_address(&self) -> String {
        format!("unix:path={}", TestBus::socket_in(self.path()).display())
    }

    /// A built command, as `user`, pointed at this vault.
    pub fn command(&self, user: User, program: &str, door: Door) -> Command {
        let mut command = user.command(program::path(program));
        command.env(ADDRESS_VARIABLE, self.address_text(door));
        self.users.apply(&mut command);
        command
    }

    /// The address of a door.
    pub fn address(&self, door: Door) -> Address {
        self.address_text(door).parse().expect("an address of our own making")
    }

    /// The address of a door as `TOKENVAULT_ADDRESS` takes it.
    pub fn address_text(&self, door: Door) -> String {
        match door {
            Door::Socket => format!("unix:path={}", self.socket().display()),
            Door::Bus => format!("bus:{}", self.bus_address()),
        }
    }

    /// The private socket.
    pub fn socket(&self) -> PathBuf {
        self.path().join("run/bus")
    }

    /// The service manager, where it passes the daemon a socket.
    pub fn service_manager(&self) -> &ServiceManager {
        self.credentials.as_ref().expect("the service manager passes no socket")
    }

    /// The temporary directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of the store.
    pub fn state_directory(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The user database of this vault's programs.
    pub fn users(&self) -> &UserDatabase {
        &self.users
    }

    /// Status, as root, over the private socket.
    pub fn status(&self) -> Status {
        self.client(ROOT, Door::Socket).status().expect("the status of the vault")
    }

    /// Waits until the vault is in `state`.
    pub fn wait_for_state(&self, state: &str) -> Status {
        let client = self.client(ROOT, Door::Socket);
        wait::until(&format!("state '{state}'"), || client.status().ok().filter(|status| status.state == state))
    }

    /// The running daemon.
    pub fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("the daemon is not running")
    }

    /// Processor time the daemon has used so far.
    pub fn daemon_processor_time(&self) -> Duration {
        self.daemon.as_ref().expect("the daemon is not running").processor_time()
    }

    /// The process of the bus.
    pub fn bus_process(&self) -> &Process {
        self.bus.as_ref().expect("the bus is not running").process()
    }

    /// Everything the daemon has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("daemon.log")).unwrap_or_default()
    }

    /// Starts the daemon and waits until it answers.
    pub fn start_daemon(&mut self) {
        let configuration = self.write_configuration();
        let (users, notify) = (&self.users, &self.notify);
        self.daemon = Some(match &self.credentials {
            None => Daemon::start(self.path(), &configuration, users, notify),
            Some(manager) => {
                Daemon::start_with_credentials(self.path(), &configuration, users, notify, manager.socket())
            }
        });
    }

    /// Starts the daemon by another program, which becomes it (`strace -D`); whether it became ready before it ended.
    pub fn start_daemon_under(&mut self, under: &[&str]) -> bool {
        let configuration = self.write_configuration();
        let mut daemon = Daemon::spawn(self.path(), &configuration, &self.users, &self.notify, under);
        let ready = daemon.becomes_ready(&self.notify);
        self.daemon = Some(daemon);
        ready
    }

    /// Starts the daemon with a wall clock that is off by so much (`+9d`); its boot clock goes on as it does. Whether it became
    /// ready before it ended.
    pub fn start_daemon_off_by(&mut self, off: &str) -> bool {
        // In its place and not below it: faketime(1) itself waits for what it starts, and would be what is stopped.
        let preload = r#"LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}/usr/\$LIB/faketime/libfaketime.so.1" exec "$@""#;
        let wall = format!("FAKETIME={off}");
        let environment = ["/usr/bin/env", "FAKETIME_DONT_FAKE_MONOTONIC=1", wall.as_str()];
        self.start_daemon_under(&[&environment[..], &["/bin/sh", "-c", preload, "sh"]].concat())
    }

    /// Starts the daemon for an end that comes by itself, and waits for that.
    pub fn run_daemon_to_its_end(&mut self) -> ExitStatus {
        let configuration = self.write_configuration();
        let mut daemon = Daemon::spawn(self.path(), &configuration, &self.users, &self.notify, &[]);
        daemon.process().wait(wait::PATIENCE).expect("tokenvaultd should have ended")
    }

    /// Stops the daemon in order.
    pub fn stop_daemon(&mut self) -> ExitStatus {
        self.daemon.take().expect("the daemon is not running").stop()
    }

    /// Stops the daemon as a crash would.
    pub fn kill_daemon(&mut self) {
        self.daemon.take().expect("the daemon is not running").kill();
    }

    /// Stops the daemon in order and starts it again.
    pub fn restart(&mut self) {
        self.stop_daemon();
        self.start_daemon();
    }

    /// Stops the daemon in order and starts it again with what it gave the service manager to keep.
    pub fn restart_by_manager(&mut self) {
        self.restart_by_manager_after(|| ());
    }

    /// The same with something that happens while there is no daemon.
    pub fn restart_by_manager_after(&mut self, happens: impl FnOnce()) {
        self.stop_daemon();
        happens();
        assert!(self.start_daemon_under(&BY_MANAGER), "tokenvaultd ended before it was ready");
    }

    /// Everything the service manager was told.
    pub fn notifications(&self) -> Vec<String> {
        self.notify.history()
    }

    /// What the service manager was given to keep over a restart and is still of use, with its names.
    pub fn kept(&self) -> Vec<(String, OwnedFd)> {
        self.notify.kept()
    }

    /// The settings, for a change before the next start or reload.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Writes the configuration file; its path.
    pub fn write_configuration(&self) -> PathBuf {
        let (state, runtime) = (self.state_directory(), self.path().join("run"));
        let bus = self.bus_address();
        let places = Places {
            state: &state,
            runtime: &runtime,
            worker: &program::path("tokenvault-tpm"),
            bus: &bus,
            tcti: &self.tpm.tcti(),
        };
        let file = self.path().join("tokenvault.conf");
        fs::write(&file, self.settings.to_toml(places)).expect("writing the configuration");
        file
    }

    /// The TPM of this machine.
    pub fn tpm(&mut self) -> &mut Swtpm {
        &mut self.tpm
    }

    /// Switches the TPM on.
    pub fn start_tpm(&mut self) {
        self.tpm.start();
    }

    /// Switches the TPM off in order.
    pub fn stop_tpm(&mut self) {
        self.tpm.stop();
    }

    /// Puts the vault's files on a machine with another TPM.
    pub fn swap_tpm(&mut self) {
        self.tpm.stop();
        self.tpm = Swtpm::reserve(&self.path().join("another-tpm"));
        self.tpm.start();
    }

    /// Puts the vault's files on another vault's machine, and that one's files on this.
    pub fn exchange_tpm_with(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.tpm, &mut other.tpm);
    }

    /// Starts the bus, again or for the first time, at the same address.
    pub fn start_bus(&mut self) {
        self.start_bus_with(&[]);
    }

    /// The same with limits of its own.
    pub fn start_bus_with(&mut self, limits: &[(&str, u64)]) {
        self.bus = None;
        self.bus = Some(TestBus::start_with(self.path(), &self.users, limits));
    }

    /// Ends the bus.
    pub fn stop_bus(&mut self) {
        self.bus = None;
    }
}
