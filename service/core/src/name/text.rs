//! Which characters text from callers may hold.
//!
//! Refused are the categories Cc (control) and Cn (unassigned, noncharacters included: what is unassigned today may get a
//! normalisation tomorrow), Cs (surrogates, which UTF-8 cannot hold anyway), the line and paragraph separators, and the
//! `Bidi_Control` characters: they reorder the rest of a line in a listing. Private-use characters are assigned, to
//! someone, and are taken.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::is_nfc;

use crate::Error;

/// Longest content type, bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;
/// Longest hint, bytes of UTF-8.
pub const HINT_BYTES_MAX: usize = 255;

/// Checks length and characters of `text`; `what` names it in the refusal.
pub(super) fn check(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        return Err(Error::InvalidArgs(format!(
            "the {what} has {} bytes, at most {bytes_max} are allowed",
            text.len()
        )));
    }
    match text.char_indices().find_map(|(at, character)| Some((at, character, fault(character)?))) {
        None => Ok(()),
        Some((at, character, fault)) => Err(Error::InvalidArgs(format!(
            "the {what} has {fault} character U+{:04X} at byte {at}, which is not allowed",
            u32::from(character)
        ))),
    }
}

/// Refuses text that is not in Unicode normalisation form C: two spellings of one name must not be two names.
pub(super) fn check_normalised(what: &str, text: &str) -> Result<(), Error> {
    if is_nfc(text) {
        return Ok(());
    }
    Err(Error::InvalidArgs(format!("the {what} is not in Unicode normalisation form NFC; normalise it and retry")))
}

fn fault(character: char) -> Option<&'static str> {
    if matches!(character, ' '..='~') {
        return None;
    }
    match get_general_category(character) {
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {
            Some("the control")
        }
        GeneralCategory::Unassigned | GeneralCategory::Surrogate => Some("the unassigned"),
        GeneralCategory::Format if is_bidi_control(character) => Some("the text direction control"),
        _ => None,
    }
}

/// Property `Bidi_Control` of the Unicode character database; the list is closed.
const fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Media type of a value: at most 127 printable ASCII characters, empty when none was given. Kept for the reader, never
/// interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType(Box<str>);

impl ContentType {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check("content-type", text, CONTENT_TYPE_BYTES_MAX)?;
        if !text.is_ascii() {
            return Err(Error::InvalidArgs("the content-type has characters that are not ASCII".into()));
        }
        Ok(Self(text.into()))
    }

    /// The content type; empty when none was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a caller says of itself, `purpose` or `app`: up to 255 bytes for the audit log, empty when not given. Grants
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hint(Box<str>);

impl Hint {
    /// Checks the `text` of option `key`. Blanks alone are taken for nothing: they must not pass for a purpose.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(key: &str, text: &str) -> Result<Self, Error> {
        check(key, text, HINT_BYTES_MAX)?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        Ok(Self(text.into()))
    }

    /// The hint; empty when not given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_printable_ascii() {
        assert_eq!(ContentType::parse("text/plain; charset=utf-8").unwrap().as_str(), "text/plain; charset=utf-8");
        assert!(ContentType::parse("").is_ok());
        assert!(ContentType::parse("text/plain\n").is_err());
        assert!(ContentType::parse("text/plaïn").is_err());
        assert!(ContentType::parse(&"a".repeat(128)).is_err());
    }

    #[test]
    fn a_blank_purpose_is_no_purpose() {
        for blank in ["", " ", " \u{a0}"] {
            assert_eq!(Hint::parse("purpose", blank).unwrap().as_str(), "", "{blank:?}");
        }
        assert_eq!(Hint::parse("purpose", "rotate key").unwrap().as_str(), "rotate key");
        assert!(Hint::parse("app", "a\u{1b}[2J").is_err());
        assert!(Hint::parse("app", &"a".repeat(256)).is_err());
    }
}
