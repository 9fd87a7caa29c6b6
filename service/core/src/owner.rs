//! Whose token a request means.

use sha2::{Digest, Sha256};

use crate::Caller;
use crate::principal::Principal;

/// The name that the user database gives a uid, as its SHA-256 (FIPS 180-4): so an owner stays a small value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameDigest([u8; 32]);

impl NameDigest {
    /// Of a name.
    pub fn of(name: &str) -> Self {
        Self(Sha256::digest(name.as_bytes()).into())
    }
}

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
    /// The same, named by the name that this uid has now: where its tokens are those of somebody who had it under another name,
    /// they are not meant.
    User(u32, NameDigest),
    /// A user name nobody has: owns nothing, and is answered like any other stranger.
    Nobody,
}

impl Owner {
    /// The uid whose principal is meant; `None` when there can be none.
    pub const fn uid(self, caller: &Caller) -> Option<u32> {
        match self {
            Self::Own => Some(caller.uid),
            Self::Machine => Some(0),
            Self::Uid(uid) | Self::User(uid, _) => Some(uid),
            Self::Nobody => None,
        }
    }

    /// Whether the principal of the uid is who is meant. Root is root, whatever it is called.
    pub fn means(self, principal: &Principal) -> bool {
        match self {
            Self::User(uid, name) => uid == 0 || name == NameDigest::of(&principal.user),
            Self::Own | Self::Machine | Self::Uid(_) => true,
            Self::Nobody => false,
        }
    }
}
