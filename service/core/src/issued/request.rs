//! What a caller asks for, decoded and checked, before anything is known of the store.

use std::ops::RangeInclusive;

use zeroize::Zeroizing;

use super::text::{self, IssuedId, TokenSecret};
use super::{Audience, IssuedInfo, Kind, Scopes};
use crate::error::Error;
use crate::name::{Attributes, Hint};

/// How long something issued lives when nothing is said, microseconds.
pub const TTL_USEC_DEFAULT: u64 = 3_600_000_000;
/// How many digits a code has when nothing is said.
pub const CODE_LENGTH_DEFAULT: u32 = 6;
/// How many it can have.
pub const CODE_LENGTHS: RangeInclusive<u32> = 4..=32;
/// How many wrong codes may be tried when nothing is said.
pub const ATTEMPTS_DEFAULT: u32 = 5;
/// Most that may be tried.
pub const ATTEMPTS_MAX: u32 = 100;

/// What is to be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKind {
    /// A token.
    Token,
    /// A code.
    Code {
        /// Digits.
        length: u32,
        /// Wrong codes that may be tried.
        attempts: u32,
    },
}

impl NewKind {
    /// A code.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] naming the option that is out of range.
    pub fn code(length: Option<u32>, attempts: Option<u32>) -> Result<Self, Error> {
        let length = length.unwrap_or(CODE_LENGTH_DEFAULT);
        if !CODE_LENGTHS.contains(&length) {
            let (least, most) = (CODE_LENGTHS.start(), CODE_LENGTHS.end());
            return Err(Error::InvalidArgs(format!(
                "option 'length' is {length}; a code has {least} to {most} digits"
            )));
        }
        Ok(Self::Code { length, attempts: check_attempts(attempts)? })
    }
}

/// Checks how many wrong codes may be tried.
///
/// # Errors
/// [`Error::InvalidArgs`] when it is out of range.
pub fn check_attempts(attempts: Option<u32>) -> Result<u32, Error> {
    let attempts = attempts.unwrap_or(ATTEMPTS_DEFAULT);
    if (1..=ATTEMPTS_MAX).contains(&attempts) {
        return Ok(attempts);
    }
    Err(Error::InvalidArgs(format!("option 'attempts' must be 1 to {ATTEMPTS_MAX}")))
}

/// Checks how often something may be used.
///
/// # Errors
/// [`Error::InvalidArgs`] for 0.
pub fn check_uses(uses: Option<u32>) -> Result<Option<u32>, Error> {
    match uses {
        Some(0) => Err(Error::InvalidArgs("option 'uses' must be 1 or more".into())),
        uses => Ok(uses),
    }
}

/// `Issue`.
#[derive(Debug, Clone)]
pub struct IssueRequest {
    /// What is to be issued.
    pub kind: NewKind,
    /// About whom or what it says something.
    pub subject: Hint,
    /// For whom it is.
    pub audience: Audience,
    /// What it is good for.
    pub scopes: Scopes,
    /// What else it says.
    pub claims: Attributes,
    /// Microseconds until it expires.
    pub ttl: u64,
    /// How often it may be used up; `None`: without a limit.
    pub uses: Option<u32>,
}

/// What somebody holds up to be validated.
pub enum Presented {
    /// A token, taken apart.
    Token(IssuedId, TokenSecret),
    /// A code, and which one it is said to be.
    Code(IssuedId, Zeroizing<String>),
    /// Nothing that was ever issued.
    Malformed,
}

impl Presented {
    /// From the text of a token or a code; a code is nothing without its id, and a token has none but its own.
    pub fn parse(text: &str, id: Option<&str>) -> Self {
        let told = match id.map(IssuedId::parse) {
            Some(None) => return Self::Malformed,
            told => told.flatten(),
        };
        match (text::read(text), told) {
            (Some((id, _)), Some(told)) if id != told => Self::Malformed,
            (Some((id, secret)), _) => Self::Token(id, secret),
            (None, Some(told)) if is_code(text) => Self::Code(told, Zeroizing::new(text.to_owned())),
            (None, _) => Self::Malformed,
        }
    }

    /// The id, where there is one.
    pub const fn id(&self) -> Option<IssuedId> {
        match self {
            Self::Token(id, _) | Self::Code(id, _) => Some(*id),
            Self::Malformed => None,
        }
    }

    /// What it is, where it is something.
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Token(..) => Some(Kind::Token),
            Self::Code(..) => Some(Kind::Code),
            Self::Malformed => None,
        }
    }

    /// Its secret.
    pub(super) fn secret(&self) -> &[u8] {
        match self {
            Self::Token(_, secret) => secret.as_slice(),
            Self::Code(_, digits) => digits.as_bytes(),
            Self::Malformed => &[],
        }
    }
}

/// Whether a text can be a code: one that is typed with more or fewer digits counts as a wrong one.
fn is_code(text: &str) -> bool {
    (1..=*CODE_LENGTHS.end() as usize).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `Validate`.
pub struct ValidateRequest {
    /// What is held up.
    pub presented: Presented,
    /// For whom it must be.
    pub audience: Option<String>,
    /// What it must be good for.
    pub scopes: Scopes,
    /// Whether one of its uses is to be taken.
    pub consume: bool,
}

/// Which of what was issued is meant; what is not given means all.
#[derive(Debug, Clone, Default)]
pub struct IssuedFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// About this subject.
    pub subject: Option<String>,
    /// For this audience.
    pub audience: Option<String>,
    /// Good for all of this.
    pub scopes: Scopes,
}

impl IssuedFilter {
    /// Whether something issued is meant.
    pub(super) fn matches(&self, info: &IssuedInfo) -> bool {
        self.kind.is_none_or(|kind| kind == info.kind)
            && self.subject.as_ref().is_none_or(|subject| *subject == info.subject)
            && self.audience.as_ref().is_none_or(|audience| *audience == info.audience)
            && self.scopes.are_within(&info.scopes)
    }
}

/// `Issued`.
#[derive(Debug, Clone)]
pub struct IssuedListRequest {
    /// What is listed.
    pub filter: IssuedFilter,
    /// Rows of the page.
    pub limit: usize,
    /// Where the page begins; empty: at the start.
    pub after: String,
}
