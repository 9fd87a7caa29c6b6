//! Whether the vault is open, and if not, why. What people are told of it stands in `words`.

use std::sync::{Arc, PoisonError};

use super::slots::recovery_is_confirmed;
use super::words::{Protection, SealReason, cause_and_next_step};
use super::{AnchorState, OpenVault, Vault, VaultId};
use crate::error::Error;
use crate::port::MetaKey;
use crate::slot::SlotKind;

/// State of the vault, as the interface names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not looked yet.
    Starting,
    /// There is no vault in the state directory.
    Uninitialised,
    /// There is one, and no slot has opened it.
    Sealed,
    /// Open.
    Serving,
    /// Open, but nothing can be written.
    ReadOnly,
    /// The store did not verify.
    Quarantined,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Starting, Self::Uninitialised, Self::Sealed, Self::Serving, Self::ReadOnly, Self::Quarantined];

    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Uninitialised => "uninitialised",
            Self::Sealed => "sealed",
            Self::Serving => "serving",
            Self::ReadOnly => "read-only",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What the vault is now.
pub(super) enum Inner {
    Starting,
    Uninitialised(String),
    Sealed(SealReason),
    Open(Arc<OpenVault>),
    Quarantined(String),
    /// The store could not be opened, though nothing says that it is damaged.
    Unavailable(String),
}

/// Everything `Status` tells that is not the caller's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStatus {
    /// The state.
    pub state: State,
    /// Why it is in that state; empty while all is well.
    pub reason: String,
    /// What to do about it; empty while there is nothing to do.
    pub next_step: String,
    /// Kind of the slot that opened the vault.
    pub protection: Option<SlotKind>,
    /// Identity of the vault.
    pub vault_id: Option<VaultId>,
    /// Whether the recovery key was typed back.
    pub recovery_confirmed: bool,
    /// What a thief gets; `None` while there is no vault.
    pub theft: Option<Protection>,
}

impl Vault {
    pub(super) fn with_state<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state; a quarantine stays, whatever was under way when it began.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when it stayed.
    pub(super) fn enter(&self, state: Inner) -> Result<(), Error> {
        let mut now = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Inner::Quarantined(reason) = &*now {
            return Err(Error::Quarantined(reason.clone()));
        }
        let opening = match &state {
            Inner::Open(open) => {
                self.note_opening(open);
                open.opening
            }
            _ => 0,
        };
        self.hot.restart(opening);
        self.listed.restart(opening);
        self.hot_issued.restart(opening);
        *now = state;
        drop(now);
        self.wake_state();
        Ok(())
    }

    /// Sets who is told that [`Vault::status`] may say something else than before. It must be quick. The first one stays.
    pub fn on_state(&self, waker: impl Fn() + Send + Sync + 'static) {
        let _first_stays = self.state_waker.set(Box::new(waker));
    }

    pub(super) fn wake_state(&self) {
        if let Some(waker) = self.state_waker.get() {
            waker();
        }
    }

    /// The keys, while the vault is open.
    pub(crate) fn open(&self) -> Result<Arc<OpenVault>, Error> {
        self.with_state(|state| match state {
            Inner::Open(open) => Ok(Arc::clone(open)),
            Inner::Starting => Err(Error::Sealed("the vault is starting; retry in a moment".into())),
            Inner::Uninitialised(reason) => {
                Err(Error::Sealed(format!("there is no vault yet ({reason}); run 'tokenvaultctl init'")))
            }
            Inner::Sealed(reason) => Err(Error::Sealed(format!("{}; {}", reason.text(), reason.next_step()))),
            Inner::Quarantined(reason) => Err(Error::Quarantined(reason.clone())),
            Inner::Unavailable(reason) => Err(Error::Unavailable(reason.clone())),
        })
    }

    /// Refuses early what could not be done anyway.
    ///
    /// # Errors
    /// [`Error::Sealed`], [`Error::Quarantined`] or [`Error::Unavailable`] while the vault is not open.
    pub fn check_open(&self) -> Result<(), Error> {
        self.open().map(|_| ())
    }

    /// Why the vault is sealed, if it is.
    pub fn seal_reason(&self) -> Option<SealReason> {
        self.with_state(|state| match state {
            Inner::Sealed(reason) => Some(reason.clone()),
            _ => None,
        })
    }

    /// Takes the vault out of service until an administrator has looked at it.
    pub fn quarantine(&self, reason: String) {
        // The first reason is the one to look at.
        let _already = self.enter(Inner::Quarantined(reason));
    }

    /// A store that does not verify takes the vault out of service.
    pub(super) fn quarantine_after(&self, error: &Error) {
        if let Error::Quarantined(reason) = error {
            self.quarantine(reason.clone());
        }
    }

    /// Kind of the slot that opened the vault.
    pub fn protection(&self) -> Option<SlotKind> {
        self.with_state(|state| match state {
            Inner::Open(open) => Some(open.opened_by),
            _ => None,
        })
    }

    /// Identity of the vault, when there is one.
    pub fn id(&self) -> Option<VaultId> {
        let open = self.with_state(|state| match state {
            Inner::Open(open) => Some(open.id),
            _ => None,
        });
        open.or_else(|| self.read(|tx| super::slots::vault_id(tx)).ok().flatten())
    }

    /// The state alone.
    pub fn state(&self) -> State {
        self.with_state(|state| match state {
            Inner::Starting => State::Starting,
            Inner::Uninitialised(_) => State::Uninitialised,
            Inner::Sealed(_) => State::Sealed,
            Inner::Open(_) if self.store.status().read_only.is_some() => State::ReadOnly,
            Inner::Open(_) => State::Serving,
            Inner::Quarantined(_) => State::Quarantined,
            Inner::Unavailable(_) => State::ReadOnly,
        })
    }

    /// What the vault is and what to do about it. Answers in every state.
    pub fn status(&self) -> VaultStatus {
        let state = self.state();
        let (mut reason, mut next_step, protection) = self.with_state(|inner| match inner {
            Inner::Starting => ("the vault is starting".into(), "wait a moment".into(), None),
            Inner::Uninitialised(reason) => (
                reason.clone(),
                "run 'tokenvaultctl init', on a machine without a TPM with --passphrase or --host-key".into(),
                None,
            ),
            Inner::Sealed(reason) => (reason.text(), reason.next_step().to_owned(), None),
            Inner::Open(open) => (String::new(), String::new(), Some(open.opened_by)),
            Inner::Unavailable(reason) => (reason.clone(), "mend the cause and restart tokenvaultd".into(), None),
            Inner::Quarantined(reason) => {
                // Nobody takes one as it is that cannot be read.
                let is_readable = self.store.status().damaged.is_none();
                let taken = if is_readable {
                    "take the store as it is with 'tokenvaultctl recover' and the recovery key, or "
                } else {
                    ""
                };
                let next = format!(
                    "keep a copy of the state directory; then {taken}stop tokenvaultd, put the right store back, or move vault.db and what \
                     belongs to it away, start it and run 'tokenvaultctl backup restore FILE'"
                );
                (reason.clone(), next, None)
            }
        });
        if let (State::ReadOnly, Some(why)) = (state, self.store.status().read_only) {
            (reason, next_step) = cause_and_next_step(why);
        }
        let kept = self.read(|tx| {
            let id = tx.meta(MetaKey::VaultId)?.and_then(|id| <[u8; 16]>::try_from(id).ok());
            let kinds: Vec<_> = tx.slots()?.iter().filter_map(|slot| SlotKind::parse(&slot.kind)).collect();
            Ok((id, kinds, recovery_is_confirmed(tx)?))
        });
        let (vault_id, kinds, recovery_confirmed) = kept.unwrap_or_default();
        if state == State::Serving && !recovery_confirmed {
            reason = "no recovery key is confirmed: a broken or cleared TPM would lose every token".into();
            next_step = if kinds.contains(&SlotKind::Recovery) {
                "run 'tokenvaultctl init --confirm-recovery'".into()
            } else {
                "run 'tokenvaultctl init' to make a recovery key".into()
            };
        }
        if state == State::Serving
            && recovery_confirmed
            && let AnchorState::Pending(why) = self.anchor().state
        {
            reason = format!("an older copy of the store would not be noticed: {why}");
            next_step = "mend that; it is tried again by itself".into();
        }
        if state == State::Serving && self.is_locked_down() {
            reason = "the vault is in lockdown: no value is given out".into();
            next_step = "run 'tokenvaultctl lockdown off' when values may leave again".into();
        }
        let theft = vault_id.as_ref().map(|_| Protection::of(&kinds));
        VaultStatus { state, reason, next_step, protection, vault_id, recovery_confirmed, theft }
    }
}
