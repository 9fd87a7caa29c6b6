//! A few words for whom a token is shared with.

use super::text::check;
use crate::Error;

/// Longest note, bytes of UTF-8.
pub const NOTE_BYTES_MAX: usize = 1024;

/// A note: at most 1,024 bytes, empty when there is none. It is shown to others on their terminals, and so holds no control
/// character.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note(Box<str>);

impl Note {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`Error::InvalidArgs`] with the rule it breaks.
    pub fn parse(text: &str) -> Result<Self, Error> {
        check("note", text, NOTE_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    /// The note.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_of_bounded_length() {
        for text in ["", "for the night run; ask Ada", "für später", &"n".repeat(1024)] {
            assert_eq!(Note::parse(text).unwrap().as_str(), text);
        }
        for text in ["a\nb", "\u{1b}[2J", "a\tb", "\u{202e}x", &"n".repeat(1025), &"é".repeat(513)] {
            assert!(matches!(Note::parse(text), Err(Error::InvalidArgs(_))), "{text:?}");
        }
    }
}
