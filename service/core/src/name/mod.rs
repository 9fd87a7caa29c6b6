//! What callers call things: token names, prefixes to list by, attributes, content types, hints. Checked once, at the
//! edge; from then on a value of these types is well-formed.
//!
//! Refusals say which rule was broken and where, and never repeat the offending text: it may hold terminal controls.

mod attributes;
mod note;
mod text;

pub use attributes::{ATTRIBUTE_KEY_BYTES_MAX, ATTRIBUTE_VALUE_BYTES_MAX, ATTRIBUTES_MAX, Attributes};
pub use note::{NOTE_BYTES_MAX, Note};
pub use text::{CONTENT_TYPE_BYTES_MAX, ContentType, HINT_BYTES_MAX, Hint};

use crate::Error;

/// Longest token name, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;

/// Name of a token: 1 to 255 bytes in NFC, without control or unassigned characters, in segments separated by `/` of which
/// none is empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(Box<str>);

impl TokenName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::InvalidArgs("the token name is empty".into()));
        }
        text::check("token name", name, NAME_BYTES_MAX)?;
        text::check_normalised("token name", name)?;
        name.split('/').try_for_each(|segment| check_segment("token name", segment))?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Beginning of token names, to list by. May be empty and may end within a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamePrefix(Box<str>);

impl NamePrefix {
    /// Checks that some name can begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(prefix: &str) -> Result<Self, Error> {
        text::check("prefix", prefix, NAME_BYTES_MAX)?;
        text::check_normalised("prefix", prefix)?;
        if let Some((complete, _open)) = prefix.rsplit_once('/') {
            complete.split('/').try_for_each(|segment| check_segment("prefix", segment))?;
        }
        Ok(Self(prefix.into()))
    }

    /// Whether `name` begins with it.
    pub fn matches(&self, name: &str) -> bool {
        name.starts_with(&*self.0)
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_segment(what: &str, segment: &str) -> Result<(), Error> {
    match segment {
        "" => Err(Error::InvalidArgs(format!(
            "the {what} has an empty segment: '/' separates segments and stands neither first, last nor twice"
        ))),
        "." | ".." => Err(Error::InvalidArgs(format!("the {what} has a segment '{segment}', which is not allowed"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        match TokenName::parse(name) {
            Err(Error::InvalidArgs(text)) => text,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{name:?} was taken"),
        }
    }

    #[test]
    fn the_refusal_names_the_rule_and_not_the_text() {
        assert!(refusal("").contains("empty"));
        assert!(refusal("a//b").contains("empty segment"));
        assert!(refusal("a/../b").contains("'..'"));
        assert!(refusal("cafe\u{301}").contains("NFC"));
        assert!(refusal(&"x".repeat(256)).contains("255"));
        let text = refusal("bell\u{7}");
        assert!(text.contains("U+0007") && text.contains("byte 4") && !text.contains('\u{7}'), "{text}");
    }

    #[test]
    fn a_prefix_may_end_anywhere_but_not_begin_where_no_name_does() {
        for prefix in ["", "a", "a/", "a/.", "a/..", "."] {
            assert!(NamePrefix::parse(prefix).is_ok(), "{prefix:?}");
        }
        for prefix in ["/", "/a", "a//", "./", "a/../b", "e\u{301}"] {
            assert!(NamePrefix::parse(prefix).is_err(), "{prefix:?}");
        }
        assert!(NamePrefix::parse("ci/d").unwrap().matches("ci/deploy"));
        assert!(!NamePrefix::parse("ci/").unwrap().matches("ci"));
        assert!(NamePrefix::default().matches("anything"));
    }
}
