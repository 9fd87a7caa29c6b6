//! What a caller asks for, decoded and checked, before anything is known of the store.

use crate::error::Error;
use crate::issued::GroupNow;
use crate::name::{Attributes, ContentType, Hint, NamePrefix, TokenName};
use crate::owner::Owner;
use crate::token::Class;
use crate::{Secret, Timestamp};

/// Fewest and most versions a token keeps.
const KEEP_VERSIONS: std::ops::RangeInclusive<u32> = 1..=1_000;
/// Versions kept when nothing is said.
pub(super) const KEEP_VERSIONS_DEFAULT: u32 = 10;

/// What `Put` does about a token that is there already, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PutMode {
    /// Either way.
    #[default]
    Upsert,
    /// Only when there is none.
    Create,
    /// Only when there is one.
    Replace,
}

impl PutMode {
    /// From the interface's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "upsert" => Some(Self::Upsert),
            "create" => Some(Self::Create),
            "replace" => Some(Self::Replace),
            _ => None,
        }
    }
}

/// When a value expires, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// Never.
    #[default]
    Never,
    /// At this point.
    At(Timestamp),
    /// This many microseconds after the write.
    After(u64),
}

impl Expiry {
    /// The point in time meant.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] for a point that has passed or lies past the end of time.
    pub fn resolve(self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let expires = match self {
            Self::Never => return Ok(None),
            Self::At(point) => point,
            Self::After(usec) => now
                .checked_add_usec(usec)
                .ok_or_else(|| Error::InvalidArgs("option 'ttl' reaches past the end of time".into()))?,
        };
        if expires <= now {
            return Err(Error::InvalidArgs("the token would have expired already; give a later time".into()));
        }
        // D-Bus and the store hold it as 64 bits; SQLite's are signed.
        if i64::try_from(expires.as_usec()).is_err() {
            return Err(Error::InvalidArgs("option 'expires' lies past the end of time".into()));
        }
        Ok(Some(expires))
    }
}

/// What comes with a new value. What is `None` stays as it is on an existing token.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// What to do about a token that is there already.
    pub mode: PutMode,
    /// Number the current version must have; 0: there must be none.
    pub expect_version: Option<u64>,
    /// Class of the new version.
    pub class: Option<Class>,
    /// Whose token.
    pub owner: Owner,
    /// What was looked up of the groups that another's token is shared with.
    pub groups: Vec<GroupNow>,
    /// Media type of the value.
    pub content_type: Option<ContentType>,
    /// Attributes of the token.
    pub attributes: Option<Attributes>,
    /// When the new version expires.
    pub expiry: Expiry,
    /// How many versions are kept.
    pub keep_versions: Option<u32>,
    /// Whether a reader must name a purpose.
    pub require_purpose: Option<bool>,
}

/// `Put`, and the second half of `Generate`.
pub struct PutRequest {
    /// Which token.
    pub name: TokenName,
    /// What comes with the value.
    pub options: PutOptions,
    /// The value.
    pub value: Secret,
}

/// `Get`.
#[derive(Debug, Clone)]
pub struct GetRequest {
    /// Which token.
    pub name: TokenName,
    /// Whose.
    pub owner: Owner,
    /// Which version; `None`: the current one.
    pub version: Option<u64>,
    /// What the value is wanted for.
    pub purpose: Hint,
    /// The program that asks.
    pub app: Hint,
}

/// A token by name.
#[derive(Debug, Clone)]
pub struct NamedRequest {
    /// Which token.
    pub name: TokenName,
    /// Whose.
    pub owner: Owner,
}

/// `List`.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// Whose tokens.
    pub owner: Owner,
    /// How their names begin.
    pub prefix: NamePrefix,
    /// What they carry.
    pub attributes: Attributes,
    /// Only those that expire before this.
    pub expires_before: Option<Timestamp>,
    /// Rows of the page.
    pub limit: usize,
    /// Where the page begins; empty: at the start.
    pub after: String,
}

/// `Annotate`: what is given is changed.
#[derive(Debug, Clone, Default)]
pub struct Annotation {
    /// Replaces the attributes.
    pub attributes: Option<Attributes>,
    /// When the current version expires.
    pub expiry: Option<Expiry>,
    /// Media type of the current version.
    pub content_type: Option<ContentType>,
    /// How many versions are kept.
    pub keep_versions: Option<u32>,
    /// Whether a reader must name a purpose.
    pub require_purpose: Option<bool>,
}

/// Checks a `keep-versions` option.
///
/// # Errors
/// [`Error::InvalidArgs`] when it is out of range.
pub fn check_keep_versions(keep: u32) -> Result<u32, Error> {
    if KEEP_VERSIONS.contains(&keep) {
        return Ok(keep);
    }
    Err(Error::InvalidArgs(format!(
        "option 'keep-versions' must be {} to {}",
        KEEP_VERSIONS.start(),
        KEEP_VERSIONS.end()
    )))
}
