//! The anchor: a counter of the TPM, which no copy of the disk has. The store says what the counter has; one that was put back from
//! a copy says less, and does not open.
//!
//! It is raised after the store was written: first the store says the value that is to come, then the TPM counts. Between the two the
//! counter is one behind, which is mended at the next start; anything else is none of the vault's doing. A store that has lost its
//! anchor does not pass for a new one, since its counter is looked for where it must be.
//!
//! Where no recovery key is confirmed, nobody could open the vault again: what does not fit is told then, and taken as it is. That one
//! is confirmed the TPM knows as well, by a second counter's being there.
//!
//! Copies from a time in which no slot was of the TPM are not noticed: nothing in them tells which TPM to ask.

mod check;
mod kept;
mod make;
mod raise;
mod restored;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Event, Vault, VaultId};
use crate::Secret;
use crate::crypto::{CryptoError, kdf};
use crate::keyring::Keyring;
use crate::port::{Counter, SecretMemory};

pub(super) use check::{Finding, Plan, Trust};
pub(super) use kept::{Kept, exists, forget_unreadable};
pub(super) use make::forget_unused;

/// Its keys, and what is to be done about it in this opening.
pub(super) struct AnchorKeys {
    /// Encrypts what the store has of it.
    record: Secret,
    /// Authorises raising the counter.
    auth: Secret,
    /// What is to be done about it.
    plan: Mutex<Plan>,
    /// Set once the rows were found to be as the vault wrote them.
    rows_verified: AtomicBool,
    /// Set once a counter is being made: one that is found then is this one.
    making: AtomicBool,
}

impl AnchorKeys {
    pub(super) fn derive(keyring: &Keyring, id: &VaultId, memory: &dyn SecretMemory) -> Result<Self, CryptoError> {
        let derive = |label| kdf::derive(keyring.integrity(), label, id, memory);
        Ok(Self {
            record: derive("anchor")?,
            auth: derive("nv-counter")?,
            plan: Mutex::new(Plan::NoSlot),
            rows_verified: AtomicBool::new(false),
            making: AtomicBool::new(false),
        })
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // Nothing panics while the lock is held.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the rows are as the vault wrote them.
    pub(super) fn note_verified_rows(&self) {
        self.rows_verified.store(true, Ordering::Release);
    }

    pub(super) fn rows_are_verified(&self) -> bool {
        self.rows_verified.load(Ordering::Acquire)
    }

    fn begin_making(&self) {
        self.making.store(true, Ordering::Release);
    }

    fn is_making(&self) -> bool {
        self.making.load(Ordering::Acquire)
    }
}

/// How the store stands to its counter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AnchorState {
    /// There is none: no slot needs the TPM, or it could not be made, for this reason.
    #[default]
    None,
    /// They agree.
    Held,
    /// The store is ahead by one, because the TPM did not count, for this reason; or nobody could ask it.
    Pending(String),
}

impl AnchorState {
    /// As the interface writes it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Held => "held",
            Self::Pending(_) => "pending",
        }
    }
}

/// What is known of the anchor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchor {
    /// How they stand.
    pub state: AnchorState,
    /// How often the counter was raised, which wears the TPM's memory.
    pub raises: u64,
    /// What an administrator is to be told of once.
    pub notice: Option<String>,
}

/// After these the counter is raised soon: a store from before them would give back what was taken away.
const TAKES_AWAY: [&str; 22] = [
    "AddSlot",
    "AdoptUser",
    "Annotate",
    "Cleanup",
    "ConfirmRecovery",
    "Delete",
    "EndLockdown",
    "EndRotation",
    "FreezeUser",
    "Lockdown",
    "PurgeUser",
    "RemoveSlot",
    "Recover",
    "RecoverVault",
    "Redeem",
    "Revoke",
    "RevokeAll",
    "Rotate",
    "SetKey",
    "SetUser",
    "SettleLogin",
    "Unshare",
];

impl Vault {
    /// Anchors the store in the counters of a TPM. The first one stays.
    pub fn count_with(&self, counter: Arc<dyn Counter>) {
        let _first_stays = self.counter.set(counter);
    }

    /// How the store stands to its counter.
    pub fn anchor(&self) -> Anchor {
        self.anchored().clone()
    }

    /// What there is to tell of it, once.
    pub fn take_anchor_notice(&self) -> Option<String> {
        self.anchored().notice.take()
    }

    /// Sets who is told that [`Vault::raise_anchor`] should be called soon. It must be quick. The first one stays.
    pub fn on_anchor(&self, waker: impl Fn() + Send + Sync + 'static) {
        let _first_stays = self.anchor_waker.set(Box::new(waker));
    }

    /// Notes that something was written which the counter does not tell of yet.
    pub(super) fn note_written(&self, event: &Event) {
        if [raise::OPERATION, super::write::ROUND_TRIP].contains(&event.operation) {
            return;
        }
        self.unanchored.store(true, Ordering::Release);
        if TAKES_AWAY.contains(&event.operation) {
            self.wake_anchor();
        }
    }

    pub(super) fn wake_anchor(&self) {
        if let Some(waker) = self.anchor_waker.get() {
            waker();
        }
    }

    fn anchored(&self) -> MutexGuard<'_, Anchor> {
        // Nothing panics while the lock is held.
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
