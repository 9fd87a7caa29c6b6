//! The one buffer secrets are read into.

use std::io::{self, Read};

use zeroize::Zeroize as _;

use crate::sys;

/// Secret bytes in a buffer that is allocated once, kept out of swap where the system allows it, and wiped on drop.
///
/// It never grows, because growing leaves copies behind. No `Debug`, no `Clone`.
pub struct SecretBytes {
    bytes: Box<[u8]>,
    len: usize,
}

/// The buffer has no room for what was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl SecretBytes {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = vec![0; capacity].into_boxed_slice();
        sys::lock(&mut bytes);
        Self { bytes, len: 0 }
    }

    /// So many zeros, to be filled in place.
    pub fn zeroed(len: usize) -> Self {
        let mut zeros = Self::with_capacity(len);
        zeros.len = len;
        zeros
    }

    /// The bytes, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a byte.
    pub fn push(&mut self, byte: u8) -> Result<(), Full> {
        *self.bytes.get_mut(self.len).ok_or(Full)? = byte;
        self.len += 1;
        Ok(())
    }

    /// Adds bytes, all or none.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len.checked_add(bytes.len()).ok_or(Full)?;
        self.bytes.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Takes the last byte away.
    pub fn pop(&mut self) -> Option<u8> {
        let last = self.len.checked_sub(1)?;
        let byte = std::mem::take(self.bytes.get_mut(last)?);
        self.len = last;
        Some(byte)
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.bytes.zeroize();
        self.len = 0;
    }

    /// Takes one line feed, and a carriage return before it, from the end.
    pub fn strip_newline(&mut self) {
        if self.expose().ends_with(b"\n") {
            self.pop();
            if self.expose().ends_with(b"\r") {
                self.pop();
            }
        }
    }

    /// Reads to the end, or until the buffer is full: then there may be more, and it is not read.
    pub fn fill(&mut self, reader: &mut impl Read) -> io::Result<()> {
        while let Some(room) = self.bytes.get_mut(self.len..).filter(|room| !room.is_empty()) {
            match reader.read(room) {
                Ok(0) => break,
                Ok(count) => self.len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.bytes.zeroize();
        sys::unlock(&mut self.bytes);
    }
}

/// Writes into the room that is left; an error when it is too small.
impl io::Write for SecretBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes).map_err(|Full| io::Error::from(io::ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_reader_is_read_up_to_the_room_and_not_further() {
        let mut secret = SecretBytes::with_capacity(10);
        secret.fill(&mut io::repeat(7)).unwrap();
        assert_eq!(secret.expose(), [7; 10]);
        assert_eq!(secret.push(1), Err(Full));
    }

    #[test]
    fn only_one_line_end_is_stripped() {
        for (given, left) in [("a\n\n", "a\n"), ("a\r\n", "a"), ("a\r", "a\r"), ("a", "a"), ("\n", "")] {
            let mut secret = SecretBytes::with_capacity(10);
            secret.fill(&mut given.as_bytes()).unwrap();
            secret.strip_newline();
            assert_eq!(secret.expose(), left.as_bytes());
        }
    }

    #[test]
    fn what_is_popped_leaves_no_byte_behind() {
        let mut secret = SecretBytes::with_capacity(4);
        secret.extend(b"abc").unwrap();
        assert_eq!(secret.pop(), Some(b'c'));
        assert_eq!(secret.bytes.as_ref(), b"ab\0\0");
        secret.clear();
        assert_eq!(secret.bytes.as_ref(), [0; 4]);
        assert_eq!(secret.pop(), None);
    }
}
