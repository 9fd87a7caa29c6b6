//! A word of the command line that is not understood: what it is not, and what would be right.

use std::borrow::Cow;
use std::fmt;

/// Why a word is refused. Both parts are for people; the word itself and its option are added where it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is said of the word, after it: `is not a duration`.
    pub what: Cow<'static, str>,
    /// What is taken instead, as the next step: `write 90s`.
    pub accepted: Cow<'static, str>,
}

impl Malformed {
    /// Of constant texts.
    pub const fn new(what: &'static str, accepted: &'static str) -> Self {
        Self { what: Cow::Borrowed(what), accepted: Cow::Borrowed(accepted) }
    }

    /// The same cause where more is taken.
    pub fn or(self, more: &str) -> Self {
        Self { accepted: format!("{}{more}", self.accepted).into(), ..self }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it {}; {}", self.what, self.accepted)
    }
}

impl std::error::Error for Malformed {}
