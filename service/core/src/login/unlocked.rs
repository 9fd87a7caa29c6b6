//! Whose login keys are open.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Secret;
use crate::principal::Principal;

/// An open login key.
#[derive(Clone)]
pub(super) struct Key {
    pub uid: u32,
    /// Generation of the principal it belongs to.
    pub generation: [u8; 16],
    pub key: Arc<Secret>,
}

/// All of them. They go with the keys of the vault.
#[derive(Default)]
pub(crate) struct Unlocked(RwLock<HashMap<u32, Key>>);

impl Unlocked {
    /// The login key of a principal, while it is open.
    pub(crate) fn key(&self, principal: &Principal) -> Option<Arc<Secret>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = keys.get(&principal.uid).filter(|found| found.generation == principal.generation)?;
        Some(Arc::clone(&found.key))
    }

    /// Whether it is open.
    pub(crate) fn is_unlocked(&self, principal: &Principal) -> bool {
        self.key(principal).is_some()
    }

    pub(super) fn insert(&self, principal: &Principal, key: Secret) {
        let key = Key { uid: principal.uid, generation: principal.generation, key: Arc::new(key) };
        let replaced = self.0.write().unwrap_or_else(PoisonError::into_inner).insert(principal.uid, key);
        // Wiped without the lock.
        drop(replaced);
    }

    /// Whether there was one.
    pub(super) fn remove(&self, uid: u32) -> bool {
        let removed = self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&uid);
        removed.is_some()
    }

    pub(super) fn all(&self) -> Vec<Key> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Uids with an open key.
    pub(super) fn uids(&self) -> Vec<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}
