//! Whose token a request means.

use crate::Caller;

/// The `owner` option after names were looked up at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owner {
    /// The caller's own (nothing was said).
    #[default]
    Own,
    /// The system's own tokens, kept by uid 0's principal.
    Machine,
    /// The principal of this uid.
    Uid(u32),
    /// A user name nobody has: owns nothing, and is answered like any other stranger.
    Nobody,
}

impl Owner {
    /// The uid whose principal is meant; `None` when there can be none.
    pub const fn uid(self, caller: &Caller) -> Option<u32> {
        match self {
            Self::Own => Some(caller.uid),
            Self::Machine => Some(0),
            Self::Uid(uid) => Some(uid),
            Self::Nobody => None,
        }
    }
}
