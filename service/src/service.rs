//! What all handlers share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokenvault_core::vault::Vault;
use tokenvault_proto::CLOCK_UNCONFIRMED;
use tokio::sync::{Notify, watch};

use crate::caller::{Limiter, Pace, Turns, Users};
use crate::config::{Config, Source};
use crate::door::DoorLimits;
use crate::groups::Groups;
use crate::host_key::HostKeyFile;
use crate::journal::RefusedAdmins;
use crate::login::Logins;
use crate::metrics::Metrics;
use crate::operation::Operations;
use crate::reload::vault_settings;
use crate::subscription::Subscriptions;
use crate::sys::LockedArena;
use crate::tpm::HeardSealer;
use crate::value::{Pipes, Portions};

/// Microseconds of a second.
const USEC_PER_SECOND: u64 = 1_000_000;
/// How far a clock may be behind before it is called wrong, seconds: a step of what synchronises it, a leap second.
const CLOCK_TOLERANCE: u64 = 60;
/// Most bytes of large replies that are not written yet, of all users together.
const REPLY_BYTES: usize = 32 << 20;

/// Long values of one user that come in at one time: each keeps the store's writer as busy as many small ones.
const UPLOADS: usize = 2;

/// The parts of the daemon, by role. Handlers hold one reference to it.
pub struct Service {
    /// The domain.
    pub vault: Arc<Vault>,
    /// Values on their way out.
    pub pipes: Pipes,
    /// Large replies that are not written yet.
    pub replies: Portions,
    /// What a uid may take.
    pub limiter: Limiter,
    /// The user database.
    pub users: Users,
    /// The TPM.
    pub sealer: HeardSealer,
    /// Turns at work that blocks.
    pub turns: Turns,
    /// Who opens and closes a user's login, or changes what it may do. Behind none of that user's reads and lists.
    pub login_turns: Turns,
    /// Turns at taking in long values.
    pub uploads: Turns,
    /// Who is listened to less.
    pub pace: Pace,
    /// Told when a vault that was open may be opened again by itself.
    pub reopen: Notify,
    /// Told when the vault was opened.
    pub opened: Notify,
    /// Told when a rotation of keys that was begun did not come to its end, and may later.
    pub rotation_left: Notify,
    /// Set when the daemon ends: whatever takes long ends with it.
    pub ending: AtomicBool,
    /// Told when other settings are in force.
    pub settings_changed: Notify,
    /// Of whom the journal has heard that he may not administer.
    pub refused_admins: RefusedAdmins,
    /// The key file beside the store.
    pub host_key: HostKeyFile,
    /// Where the settings come from.
    pub source: Source,
    /// What was done so far.
    pub metrics: Metrics,
    /// Work that takes longer than a call may.
    pub operations: Operations,
    /// Who is told of changes.
    pub subscriptions: Arc<Subscriptions>,
    /// Told when something may expire sooner than was thought.
    pub expiry_changed: Arc<Notify>,
    /// Who is logged in.
    pub logins: Logins,
    /// When the daemon started.
    pub started: Instant,
    config: RwLock<Arc<Config>>,
    groups: RwLock<Arc<Groups>>,
    door_limits: watch::Sender<DoorLimits>,
    bus_health: RwLock<String>,
    arena: LockedArena,
}

/// The parts [`Service::new`] takes as they are.
pub struct Parts {
    /// See [`Service`].
    pub vault: Arc<Vault>,
    /// See [`Service`].
    pub pipes: Pipes,
    /// See [`Service`].
    pub limiter: Limiter,
    /// See [`Service`].
    pub users: Users,
    /// See [`Service`].
    pub sealer: HeardSealer,
    /// Where secrets lie.
    pub arena: LockedArena,
    /// See [`Service`].
    pub host_key: HostKeyFile,
    /// See [`Service`].
    pub source: Source,
    /// See [`Service`].
    pub logins: Logins,
    /// The settings in force.
    pub config: Config,
    /// The groups they name.
    pub groups: Groups,
}

impl Service {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { vault, pipes, limiter, users, sealer, arena, host_key, source, logins, config, groups } = parts;
        Arc::new(Self {
            vault,
            pipes,
            replies: Portions::new(REPLY_BYTES),
            limiter,
            users,
            sealer,
            turns: Turns::default(),
            login_turns: Turns::default(),
            uploads: Turns::of_each(UPLOADS),
            pace: Pace::default(),
            reopen: Notify::new(),
            opened: Notify::new(),
            rotation_left: Notify::new(),
            ending: AtomicBool::new(false),
            settings_changed: Notify::new(),
            refused_admins: RefusedAdmins::default(),
            host_key,
            source,
            metrics: Metrics::default(),
            operations: Operations::default(),
            subscriptions: Arc::default(),
            expiry_changed: Arc::new(Notify::new()),
            logins,
            started: Instant::now(),
            door_limits: watch::Sender::new(DoorLimits::of(&config.limits)),
            config: RwLock::new(Arc::new(config)),
            groups: RwLock::new(Arc::new(groups)),
            bus_health: RwLock::new("starting".into()),
            arena,
        })
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether units that start still wait for a vault that may open by itself.
    pub fn units_wait(&self) -> bool {
        match self.config().limits.credential_seconds {
            0 => true,
            seconds => self.started.elapsed() < Duration::from_secs(seconds),
        }
    }

    /// The limits of the private door, as they change.
    pub fn door_limits(&self) -> watch::Receiver<DoorLimits> {
        self.door_limits.subscribe()
    }

    /// The groups that the settings name.
    pub fn groups(&self) -> Arc<Groups> {
        Arc::clone(&self.groups.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts what was found of the groups that `config` names in force, where that still has it.
    pub fn set_groups(&self, config: &Arc<Config>, groups: Groups) {
        let now = self.config.read().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&now, config) {
            return;
        }
        self.vault.set_settings(vault_settings(config, &groups));
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(groups);
    }

    /// Puts other settings in force, with the groups they name.
    pub fn set_config(&self, config: Config, groups: Groups) {
        self.door_limits.send_replace(DoorLimits::of(&config.limits));
        let mut now = self.config.write().unwrap_or_else(PoisonError::into_inner);
        self.vault.set_settings(vault_settings(&config, &groups));
        *self.groups.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(groups);
        *now = Arc::new(config);
        drop(now);
        self.settings_changed.notify_one();
        self.expiry_changed.notify_one();
    }

    /// `ok`, `none`, or what is wrong with the bus connection.
    pub fn bus_health(&self) -> String {
        self.bus_health.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how the bus connection is.
    pub fn set_bus_health(&self, health: impl Into<String>) {
        *self.bus_health.write().unwrap_or_else(PoisonError::into_inner) = health.into();
    }

    /// `ok`, or what the TPM answered last.
    pub fn tpm_health(&self) -> String {
        self.sealer.heard()
    }

    /// `ok`, `unconfirmed`, or how far the wall clock is behind a time that has certainly passed, where that is more than what
    /// keeps clocks right may put one back.
    pub fn clock_health(&self) -> String {
        match self.vault.clock_is_behind_usec() / USEC_PER_SECOND {
            seconds if seconds >= CLOCK_TOLERANCE => {
                format!("the wall clock is {seconds} s behind a time that has certainly passed")
            }
            _ if self.vault.has_trusted_time() => "ok".into(),
            _ => CLOCK_UNCONFIRMED.into(),
        }
    }

    /// `ok`, or why keys and values in use could be swapped out.
    pub fn memory_health(&self) -> String {
        let status = self.arena.status();
        match status.lock_error {
            Some(error) if status.unlocked > 0 => {
                format!("{} bytes are not locked ({error}); raise LimitMEMLOCK", status.unlocked)
            }
            _ => "ok".into(),
        }
    }
}
