//! For whom a token is issued.
//!
//! Whoever is named as `user:NAME` or `group:NAME` may have it validated, beside its issuer and root. Number and name are both
//! kept, and both must still match: a user or a group that has another name now, or a name that has another number, is
//! somebody else. Any other text is for the issuer and those it tells to compare.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::Caller;

/// A user or a group that has a number now.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Named {
    /// Its number.
    #[n(0)]
    pub number: u32,
    /// Its name.
    #[n(1)]
    pub name: String,
}

/// The audience of a token.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Audience {
    /// Whatever its issuer means by it; empty: nobody in particular.
    #[n(0)]
    Text(#[n(0)] String),
    /// A user of this machine.
    #[n(1)]
    User(#[n(0)] Named),
    /// The members of a group of this machine.
    #[n(2)]
    Group(#[n(0)] Named),
}

/// Whether a caller is of an audience, or is meant by a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership<'a> {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It is, if the group of this name still has the number it had.
    IfGroup(&'a Named),
}

impl Audience {
    /// Whether `caller` is of it.
    pub fn membership(&self, caller: &Caller) -> Membership<'_> {
        match self {
            Self::User(user) if user.number == caller.uid && user.name == *caller.user => Membership::Yes,
            Self::Group(group) if caller.gids.contains(&group.number) => Membership::IfGroup(group),
            Self::Text(_) | Self::User(_) | Self::Group(_) => Membership::No,
        }
    }
}

/// As the interface writes it.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::User(user) => write!(f, "user:{}", user.name),
            Self::Group(group) => write!(f, "group:{}", group.name),
        }
    }
}
