//! The bytes a ciphertext is bound to.
//!
//! Each field is written as a type byte, for variable lengths a 64-bit big-endian length, and its bytes; integers are
//! big-endian. So no two lists of fields give the same bytes, however a name or a value is chosen: a row that was moved to
//! another place, or whose columns were exchanged, does not open.

const BYTES: u8 = 1;
const TEXT: u8 = 2;
const U64: u8 = 3;
const I64: u8 = 4;
const U8: u8 = 5;
const NONE: u8 = 6;

/// Room for the longest list of fields in use, so that building one allocates once.
const CAPACITY: usize = 320;

/// A list of typed fields, encoded injectively.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aad(Vec<u8>);

impl Aad {
    /// Begins with the place it is for: a table, a kind of record.
    pub fn new(place: &str) -> Self {
        Self(Vec::with_capacity(CAPACITY)).str(place)
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Self {
        self.variable(BYTES, value)
    }

    /// Adds text.
    #[must_use]
    pub fn str(self, value: &str) -> Self {
        self.variable(TEXT, value.as_bytes())
    }

    /// Adds an unsigned number.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.fixed(U64, &value.to_be_bytes())
    }

    /// Adds a signed number.
    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.fixed(I64, &value.to_be_bytes())
    }

    /// Adds one byte.
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.fixed(U8, &[value])
    }

    /// Adds an unsigned number, or that there is none.
    #[must_use]
    pub fn option_u64(self, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.u64(value),
            None => self.fixed(NONE, &[]),
        }
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn variable(mut self, kind: u8, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    fn fixed(mut self, kind: u8, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(value);
        self
    }
}

impl AsRef<[u8]> for Aad {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fields_that_look_alike_when_joined_are_told_apart() {
        let lists = [
            Aad::new("p").str("ab").str("c"),
            Aad::new("p").str("a").str("bc"),
            Aad::new("p").str("abc"),
            Aad::new("p").str("abc").str(""),
            Aad::new("p").bytes(b"abc"),
            // Without lengths the type byte inside the first would pass for the border inside the second.
            Aad::new("p").bytes(b"a\x01b"),
            Aad::new("p").bytes(b"a").bytes(b"b"),
            Aad::new("pabc"),
            Aad::new("p").u64(1),
            Aad::new("p").i64(1),
            Aad::new("p").u8(1),
            Aad::new("p").bytes(&1u64.to_be_bytes()),
            Aad::new("p").option_u64(None),
            Aad::new("p").option_u64(Some(0)),
            Aad::new("p"),
        ];
        let distinct: BTreeSet<&[u8]> = lists.iter().map(Aad::as_bytes).collect();
        assert_eq!(distinct.len(), lists.len());
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let aad = Aad::new("t").u8(9).u64(2).i64(-1).option_u64(None);
        let expected: &[u8] = &[
            2, 0, 0, 0, 0, 0, 0, 0, 1, b't', 5, 9, 3, 0, 0, 0, 0, 0, 0, 0, 2, 4, 255, 255, 255, 255, 255, 255, 255,
            255, 6,
        ];
        assert_eq!(aad.as_bytes(), expected);
    }
}
