//! Who is asking: a value, made once at the edge from what the kernel or the bus vouches for.

use std::sync::Arc;

use crate::error::Error;

/// Most groups of a caller who asks for what is shared with it: each of them is looked for. Nobody who is not at this has more
/// (Active Directory's tokens of access have 1,024), and whoever has subordinate gids can make up thousands.
pub const GROUPS_MAX: usize = 1_024;

/// The door a call came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// The system bus.
    Bus,
    /// The private socket.
    Socket,
    /// None: the daemon itself, doing something unasked.
    Daemon,
    /// The socket the service manager fetches credentials of units from.
    Credential,
}

impl Door {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Socket => "socket",
            Self::Daemon => "daemon",
            Self::Credential => "credential",
        }
    }
}

/// Authority: uid, groups and the name the user database gives the uid. Everything else is a hint for the audit log and
/// never grants anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// UID of the connection.
    pub uid: u32,
    /// Groups of the connection, the primary one included.
    pub gids: Arc<[u32]>,
    /// Name the user database gives the uid now.
    pub user: Arc<str>,
    /// The door the call came through.
    pub door: Door,
    /// Process id, a hint.
    pub pid: Option<u32>,
}

impl Caller {
    /// Whether this is the superuser.
    pub const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Refuses a caller with more groups than are looked for.
    ///
    /// # Errors
    /// [`Error::LimitsExceeded`] naming `groups`.
    pub fn check_groups(&self) -> Result<(), Error> {
        if self.gids.len() <= GROUPS_MAX {
            return Ok(());
        }
        let retry = format!(
            "what is shared is looked for by at most {GROUPS_MAX} groups of a process; call from one with fewer"
        );
        Err(Error::LimitsExceeded { limit: "groups", retry })
    }
}
