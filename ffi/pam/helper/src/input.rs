//! Secrets from standard input, in one buffer that is locked, never grows, and is wiped.

use std::io::{self, ErrorKind, Read};

use zeroize::Zeroize as _;

use crate::sys;

/// Two secrets of 1024 bytes, the most that the module sends, and the zero byte after each.
const BYTES_MAX: usize = 2 * (1024 + 1);

/// What was read. No `Debug`, no `Clone`.
pub struct Secrets {
    bytes: Box<[u8]>,
    count: usize,
}

impl Secrets {
    /// One of them.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.bytes.split(|byte| *byte == 0).take(self.count).nth(index)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Standard input as it comes: the buffer of the standard library's would keep a copy of what went through it.
pub struct Unbuffered;

impl Read for Unbuffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(io::stdin(), buffer)?)
    }
}

/// Reads `count` secrets, none of them empty; `None` when they do not come.
pub fn read(input: &mut impl Read, count: usize) -> Option<Secrets> {
    let mut secrets = Secrets { bytes: vec![0; BYTES_MAX].into_boxed_slice(), count };
    sys::lock(&mut secrets.bytes);
    let mut len = 0;
    while ends(secrets.bytes.get(..len)?) < count {
        match input.read(secrets.bytes.get_mut(len..)?) {
            Ok(0) => return None,
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let is_complete = (0..count).all(|index| secrets.get(index).is_some_and(|secret| !secret.is_empty()));
    is_complete.then_some(secrets)
}

fn ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives a byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(1);
            self.0.read(&mut buffer[..len])
        }
    }

    #[test]
    fn secrets_come_apart_however_slowly_they_come() {
        let secrets = read(&mut Slow(b"horse\0stable\0"), 2).unwrap();
        assert_eq!(secrets.get(0), Some(&b"horse"[..]));
        assert_eq!(secrets.get(1), Some(&b"stable"[..]));
        assert_eq!(secrets.get(2), None);
    }

    #[test]
    fn the_longest_that_the_module_sends_fit() {
        let mut longest = vec![b'x'; 1024];
        longest.push(0);
        let both = [longest.clone(), longest].concat();
        assert_eq!(read(&mut both.as_slice(), 2).unwrap().get(1).unwrap().len(), 1024);
    }

    #[test]
    fn too_few_empty_and_endless_ones_are_refused() {
        for input in [&b""[..], b"horse", b"horse\0", b"horse\0stable", b"\0stable\0", b"horse\0\0"] {
            assert!(read(&mut Slow(input), 2).is_none(), "{input:?}");
        }
        assert!(read(&mut io::repeat(b'x'), 1).is_none());
    }

    #[test]
    fn nothing_is_read_where_nothing_is_wanted() {
        assert!(read(&mut io::repeat(b'x'), 0).unwrap().get(0).is_none());
    }
}
