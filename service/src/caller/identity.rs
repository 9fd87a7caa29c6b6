//! What a connection proves about its other end.

use std::sync::Arc;

use tokenvault_core::Caller;
use tokenvault_core::caller::Door;

/// UID and groups of a connection; the pid is a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// UID.
    pub uid: u32,
    /// Groups, the primary one included.
    pub gids: Arc<[u32]>,
    /// Process id.
    pub pid: Option<u32>,
    /// The door the connection came through.
    pub door: Door,
    /// Whether the process lives in a container, as far as it could be seen: at the private door when the connection was
    /// made, on the bus at its first call. Looked at for root alone.
    pub contained: bool,
}

impl Identity {
    /// The caller, once the user database has named the uid.
    pub fn named(&self, user: Arc<str>) -> Caller {
        Caller { uid: self.uid, gids: Arc::clone(&self.gids), user, door: self.door, pid: self.pid }
    }
}
