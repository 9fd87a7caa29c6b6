//! What the vault tells of unasked: that a token has changed, that one ends soon, that one was shared.
//!
//! It is said after it is durable, in the order of the commits. Who hears of it is decided in [`audience`] and nowhere else. No
//! value is in it, and whoever tells it on decides nothing.

mod audience;

use crate::Timestamp;
use crate::grantee::Grantee;

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happened {
    /// A value was put.
    Put,
    /// A value was made and put.
    Generated,
    /// An earlier value was put again.
    RolledBack,
    /// What is known of it was changed.
    Annotated,
    /// It has another name. Told twice: of the name that it had, and of the one that it has.
    Renamed,
    /// It is gone.
    Deleted,
    /// One of its versions is gone.
    VersionDeleted,
    /// It has expired.
    Expired,
    /// All tokens of the owner were given to another one, or came from there.
    Adopted,
    /// All tokens of the owner are gone.
    Purged,
}

impl Happened {
    /// As the interface writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Generated => "generated",
            Self::RolledBack => "rolled-back",
            Self::Annotated => "annotated",
            Self::Renamed => "renamed",
            Self::Deleted => "deleted",
            Self::VersionDeleted => "version-deleted",
            Self::Expired => "expired",
            Self::Adopted => "adopted",
            Self::Purged => "purged",
        }
    }
}

/// What is told of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has changed.
    Changed {
        /// What happened.
        happened: Happened,
        /// Number of the version that is current now; 0: there is no token of that name any more.
        version: u64,
        /// When that version expires.
        expires: Option<Timestamp>,
    },
    /// It expires soon.
    Expiring {
        /// When.
        expires: Timestamp,
    },
    /// It was shared.
    Shared,
}

/// Something to tell of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Uid of the token's principal.
    pub owner: u32,
    /// The token's name; empty where all tokens of the owner are meant.
    pub name: String,
    /// What is told.
    pub news: News,
    /// With whom the token is shared, those whose share has ended left out; of [`News::Shared`], with whom it was just now.
    pub grantees: Vec<Grantee>,
}

impl Announcement {
    /// That a token is gone from its name.
    pub(crate) fn gone(owner: u32, name: &str, happened: Happened, grantees: Vec<Grantee>) -> Self {
        let news = News::Changed { happened, version: 0, expires: None };
        Self { owner, name: name.to_owned(), news, grantees }
    }

    /// That something happened to all tokens of an owner.
    pub(crate) fn of_all(owner: u32, happened: Happened) -> Self {
        Self::gone(owner, "", happened, Vec::new())
    }
}
