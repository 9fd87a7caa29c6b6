//! A line typed at a prompt: what each key does. Pure, so that it can be tested without a terminal.

use crate::secret::SecretBytes;

/// What is to be done after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read the next key; nothing changed.
    Ignored,
    /// Read the next key; this byte was added.
    Added(u8),
    /// Read the next key; this many characters went away.
    Removed(usize),
    /// The line is complete.
    Done,
    /// The user gave up.
    Cancelled,
    /// There is no room for the line.
    TooLong,
}

/// Where in an escape sequence, such as that of an arrow key, the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    None,
    Begun,
    Parameters,
}

/// A line that is being typed.
pub struct Line {
    text: SecretBytes,
    sequence: Sequence,
}

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const TAB: u8 = 0x09;
const KILL_LINE: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

impl Line {
    /// An empty line with room for `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { text: SecretBytes::with_capacity(capacity), sequence: Sequence::None }
    }

    /// What was typed.
    pub fn into_text(self) -> SecretBytes {
        self.text
    }

    /// Takes one byte from the keyboard.
    pub fn key(&mut self, byte: u8) -> Step {
        if self.sequence != Sequence::None {
            self.sequence = match (self.sequence, byte) {
                (Sequence::Begun, b'[' | b'O') => Sequence::Parameters,
                (Sequence::Parameters, 0x20..=0x3f) => Sequence::Parameters,
                _ => Sequence::None,
            };
            return Step::Ignored;
        }
        match byte {
            b'\r' | b'\n' => Step::Done,
            INTERRUPT => Step::Cancelled,
            END_OF_INPUT if self.text.is_empty() => Step::Cancelled,
            END_OF_INPUT => Step::Done,
            BACKSPACE | DELETE => Step::Removed(self.remove_character()),
            KILL_LINE => {
                let count = String::from_utf8_lossy(self.text.expose()).chars().count();
                self.text.clear();
                Step::Removed(count)
            }
            ESCAPE => {
                self.sequence = Sequence::Begun;
                Step::Ignored
            }
            TAB | 0x20.. => match self.text.push(byte) {
                Ok(()) => Step::Added(byte),
                Err(_) => Step::TooLong,
            },
            _ => Step::Ignored,
        }
    }

    /// Takes the last character away, all bytes of it.
    fn remove_character(&mut self) -> usize {
        let mut removed = 0;
        while let Some(byte) = self.text.pop() {
            removed = 1;
            if !(0x80..0xc0).contains(&byte) {
                break;
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Step, Vec<u8>) {
        let mut line = Line::new(8);
        let mut last = Step::Ignored;
        for key in keys {
            last = line.key(*key);
        }
        (last, line.into_text().expose().to_vec())
    }

    #[test]
    fn enter_completes_the_line_without_itself() {
        assert_eq!(typed(b"abc\r"), (Step::Done, b"abc".to_vec()));
        assert_eq!(typed(b"\n"), (Step::Done, Vec::new()));
    }

    #[test]
    fn backspace_takes_whole_characters() {
        assert_eq!(typed("aé\u{7f}".as_bytes()), (Step::Removed(1), b"a".to_vec()));
        assert_eq!(typed("漢\u{8}\u{8}".as_bytes()), (Step::Removed(0), Vec::new()));
        assert_eq!(typed(b"abc\x15x"), (Step::Added(b'x'), b"x".to_vec()));
    }

    #[test]
    fn an_arrow_key_adds_nothing() {
        assert_eq!(typed(b"a\x1b[D\x1b[1;5Cb\r"), (Step::Done, b"ab".to_vec()));
    }

    #[test]
    fn interrupt_and_end_of_input_give_up() {
        assert_eq!(typed(b"ab\x03").0, Step::Cancelled);
        assert_eq!(typed(b"\x04").0, Step::Cancelled);
        assert_eq!(typed(b"ab\x04").0, Step::Done);
    }

    #[test]
    fn a_line_that_does_not_fit_is_not_cut() {
        assert_eq!(typed(b"123456789").0, Step::TooLong);
    }
}
