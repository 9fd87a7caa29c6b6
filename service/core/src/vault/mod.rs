//! The vault: whether it is open, and the way every request takes through it.
//!
//! One request is one method, each in a file of its own under [`crate::token`]; what they share stands here: the keys of an
//! open vault, the principal of a caller, and the two ways to the store.

mod anchor;
mod announced;
mod audited;
mod backup;
mod create;
mod due_mark;
mod hot;
mod listeners;
mod lockdown;
mod open;
mod principals;
mod reads_before;
mod recover;
mod restore;
mod rotation;
mod row_sum;
mod seen;
mod slots;
mod state;
mod totals;
mod trusted_time;
mod unseal;
mod voucher;
mod words;
mod write;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use crate::Caller;
use crate::audit::AuditQueue;
use crate::error::Error;
use crate::issued::HotShelf;
use crate::policy::Role;
use crate::port::{Clock, Counter, DeletionNotes, ReadTx, SecretMemory, Store, StoreError};
use crate::role_rules::RoleRules;
use crate::token::Listed;

pub use crate::crypto::VaultId;
pub use anchor::{Anchor, AnchorState};
pub use audited::Receipt;
pub use backup::{BackupNeed, BackupRequest};
pub(crate) use due_mark::Mark;
pub use hot::HotToken;
pub(crate) use hot::Look;
pub use listeners::Listening;
pub use open::OpenVault;
pub(crate) use principals::Change;
pub(crate) use reads_before::ReadsBefore;
pub use recover::Recovered;
pub use restore::{RestoreRequest, Restored};
pub use rotation::{KeyringRenewed, KeyringRotation, UserRotation};
pub use row_sum::RowsWhole;
pub use slots::{NewSlot, SlotView, daemon};
pub use state::{State, VaultStatus};
pub use trusted_time::ClockWord;
pub use unseal::HostKey;
pub use words::{Protection, SealReason, tpm_error_name};
pub(crate) use write::Effect;
pub use write::Reply;

/// Who is taken in when they come for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolment {
    /// Every local user.
    Auto,
    /// The members of this group.
    Group(u32),
    /// Only whom an administrator takes in.
    Admin,
}

/// What an administrator can set. 0 switches a limit off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Longest value that lies in a row, bytes.
    pub value_bytes: u64,
    /// Longest value that is kept in chunks, bytes.
    pub attachment_bytes: u64,
    /// Most tokens of a principal.
    pub tokens: u64,
    /// Most stored bytes of a principal, metadata included.
    pub bytes: u64,
    /// Most issued tokens, codes and offers of a principal.
    pub issued: u64,
    /// Who is taken in.
    pub enrolment: Enrolment,
    /// Role of a user seen first.
    pub default_role: Role,
    /// Roles of users and groups.
    pub roles: RoleRules,
    /// Whether reads wait for their audit record to be durable.
    pub audit_durable: bool,
    /// Most audit records kept.
    pub audit_records: u64,
    /// Most bytes of them.
    pub audit_bytes: u64,
    /// How long they are kept, microseconds.
    pub audit_age_usec: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            value_bytes: 65_536,
            attachment_bytes: 16 << 20,
            tokens: 10_000,
            bytes: 64 << 20,
            issued: 100_000,
            enrolment: Enrolment::Auto,
            default_role: Role::Developer,
            roles: RoleRules::default(),
            audit_durable: false,
            audit_records: 1_000_000,
            audit_bytes: 256 << 20,
            audit_age_usec: 0,
        }
    }
}

/// The vault.
pub struct Vault {
    store: Arc<dyn Store>,
    memory: Arc<dyn SecretMemory>,
    clock: Arc<dyn Clock>,
    /// What has certainly passed.
    high_water: trusted_time::HighWater,
    settings: RwLock<Arc<Settings>>,
    state: RwLock<state::Inner>,
    /// Held while the vault is made, opened, sealed or its slots change: one at a time.
    lifecycle: Mutex<()>,
    audit: AuditQueue,
    /// Tokens that were read lately.
    hot: hot::HotTokens,
    /// Tokens that were listed lately.
    pub(crate) listed: Listed,
    /// Who was seen for the first time of a day, until it is written down.
    seen: Mutex<BTreeSet<u32>>,
    /// Issued tokens that were validated lately.
    pub(crate) hot_issued: HotShelf,
    /// Contents that nobody finished and that could not be let go of yet, with their principals.
    pub(crate) forsaken: Mutex<Vec<(i64, i64)>>,
    /// How often keys were made ready to be used.
    openings: AtomicU64,
    /// The keys of every opening that somebody may still hold.
    earlier: Mutex<Vec<Weak<OpenVault>>>,
    /// How often the store was exchanged: numbers of rows mean nothing in another one.
    pub(crate) exchanges: AtomicU64,
    /// Set while no value leaves the vault.
    locked_down: AtomicBool,
    /// Set while the audit log cannot take records because there is no space for them.
    audit_full: AtomicBool,
    /// Told when records wait for [`Vault::flush_audit`].
    audit_waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Told what is announced.
    announcer: OnceLock<announced::Announcer>,
    /// Of what is shared with whom it is said.
    listeners: listeners::Listeners,
    /// Told when [`Vault::status`] may say something else than before.
    state_waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Where it is said who was deleted while the vault could not be told.
    pub(crate) deletion_notes: OnceLock<Box<dyn DeletionNotes>>,
    /// Held while that is heeded.
    pub(crate) heeding: Mutex<()>,
    /// Held while all rows are read.
    verifying: Mutex<()>,
    /// Keeps the counter that the store is anchored in.
    counter: OnceLock<Arc<dyn Counter>>,
    /// How they stand.
    anchor: Mutex<Anchor>,
    /// Held while they are held against each other, or the counter is raised.
    anchoring: Mutex<()>,
    /// Set when something was written that the counter does not tell of.
    unanchored: AtomicBool,
    /// Told when it should be raised soon.
    anchor_waker: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Held while a backup is made.
    backing_up: Mutex<()>,
    /// Held while one is restored.
    restoring: Mutex<()>,
}

impl Vault {
    /// A vault over `store`, not opened yet.
    pub fn new(
        store: Arc<dyn Store>,
        memory: Arc<dyn SecretMemory>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            memory,
            clock,
            high_water: trusted_time::HighWater::default(),
            settings: RwLock::new(Arc::new(settings)),
            state: RwLock::new(state::Inner::Starting),
            lifecycle: Mutex::new(()),
            audit: AuditQueue::default(),
            hot: hot::HotTokens::default(),
            listed: Listed::default(),
            seen: Mutex::default(),
            hot_issued: HotShelf::default(),
            forsaken: Mutex::default(),
            openings: AtomicU64::new(0),
            earlier: Mutex::default(),
            exchanges: AtomicU64::new(0),
            locked_down: AtomicBool::new(false),
            audit_full: AtomicBool::new(false),
            audit_waker: OnceLock::new(),
            announcer: OnceLock::new(),
            listeners: listeners::Listeners::default(),
            state_waker: OnceLock::new(),
            deletion_notes: OnceLock::new(),
            heeding: Mutex::new(()),
            verifying: Mutex::new(()),
            counter: OnceLock::new(),
            anchor: Mutex::default(),
            anchoring: Mutex::new(()),
            unanchored: AtomicBool::new(false),
            anchor_waker: OnceLock::new(),
            backing_up: Mutex::new(()),
            restoring: Mutex::new(()),
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in force for everything that comes after.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anchor_turn(&self) -> MutexGuard<'_, ()> {
        self.anchoring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by which what expires does.
    pub fn time(&self) -> crate::Timestamp {
        self.now()
    }

    /// Where secrets lie.
    pub fn memory(&self) -> &dyn SecretMemory {
        &*self.memory
    }

    /// Reads on one snapshot.
    pub(crate) fn read<T>(&self, work: impl FnMut(&dyn ReadTx) -> Result<T, Error>) -> Result<T, Error> {
        self.read_by(|store, work| store.read(work), work)
    }

    /// The same for what takes long, with nobody waiting for it.
    pub(crate) fn read_aside<T>(&self, work: impl FnMut(&dyn ReadTx) -> Result<T, Error>) -> Result<T, Error> {
        self.read_by(|store, work| store.read_aside(work), work)
    }

    fn read_by<T>(
        &self,
        read: impl FnOnce(&dyn Store, &mut dyn FnMut(&dyn ReadTx) -> Result<(), StoreError>) -> Result<(), StoreError>,
        mut work: impl FnMut(&dyn ReadTx) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut outcome = None;
        let read = read(&*self.store, &mut |tx| {
            outcome = Some(work(tx));
            Ok(())
        });
        read.map_err(|error| self.store_failed(error))?;
        outcome.unwrap_or_else(|| Err(Error::Internal("the store did not read".into())))
    }
}

/// Who asks, and for what: what the audit log needs of a request.
#[derive(Debug, Clone)]
pub struct Event {
    /// Who asks.
    pub caller: Caller,
    /// Method name.
    pub operation: &'static str,
    /// Whose token is meant.
    pub owner: Option<u32>,
    /// Its name.
    pub name: String,
    /// What the caller says it is.
    pub app: String,
    /// What the caller says it wants the value for.
    pub purpose: String,
    /// The new name, where it is to get one.
    pub renamed_to: Option<String>,
    /// With whom it is to be shared, or no longer.
    pub grantee: Option<String>,
    /// The unit the service manager asks for.
    pub unit: Option<String>,
}

impl Event {
    /// An event without a token.
    pub fn new(caller: &Caller, operation: &'static str) -> Self {
        Self {
            caller: caller.clone(),
            operation,
            owner: None,
            name: String::new(),
            app: String::new(),
            purpose: String::new(),
            renamed_to: None,
            grantee: None,
            unit: None,
        }
    }

    /// The same about a token.
    #[must_use]
    pub fn about(mut self, owner: Option<u32>, name: &str) -> Self {
        self.owner = owner;
        name.clone_into(&mut self.name);
        self
    }
}
