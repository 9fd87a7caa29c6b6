//! The array of header fields (D-Bus specification, "Header Fields"), walked through without all of it being here: a field's
//! first bytes say where its value is and where the next one begins.

use super::header::{Header, Malformed, Order, PREFIX};

/// Codes of the fields.
pub(crate) const PATH: u8 = 1;
pub(crate) const INTERFACE: u8 = 2;
pub(crate) const MEMBER: u8 = 3;
pub(crate) const REPLY_SERIAL: u8 = 5;
pub(crate) const DESTINATION: u8 = 6;
pub(crate) const SENDER: u8 = 7;
pub(crate) const SIGNATURE: u8 = 8;
pub(crate) const UNIX_FDS: u8 = 9;

/// A field; places are counted from the beginning of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    /// Which one it is.
    pub(crate) code: u8,
    /// Type of its value.
    pub(crate) kind: u8,
    /// Where its value begins.
    pub(crate) start: usize,
    /// Length of its value, without a final 0.
    pub(crate) len: usize,
}

/// Walks through the fields of one message.
#[derive(Debug)]
pub(crate) struct Fields {
    at: usize,
    end: usize,
    order: Order,
}

impl Fields {
    /// From the first field on.
    pub(crate) const fn of(header: &Header) -> Self {
        Self { at: PREFIX, end: PREFIX.saturating_add(header.fields), order: header.order }
    }

    /// Where the next field begins, and how many of its bytes [`Fields::step`] must see; `None` at the end.
    pub(crate) fn next_head(&mut self) -> Option<(usize, usize)> {
        self.at = self.at.next_multiple_of(8);
        let rest = self.end.saturating_sub(self.at);
        (rest > 0).then_some((self.at, rest.min(8)))
    }

    /// Takes the next field from its first bytes; those behind them are not looked at.
    pub(crate) fn step(&mut self, head: &[u8]) -> Result<Field, Malformed> {
        // A code, then a variant: the length of a signature, the signature, its final 0, the value.
        let [code, 1, kind, 0] = *head.first_chunk::<4>().ok_or(Malformed("truncated header"))? else {
            return Err(Malformed("header field of a compound type"));
        };
        let (before, len, behind) = match kind {
            b's' | b'o' => (8, self.u32(head)?, 1),
            b'g' => (5, usize::from(*head.get(4).ok_or(Malformed("truncated header"))?), 1),
            b'y' => (4, 1, 0),
            b'n' | b'q' => (4, 2, 0),
            b'b' | b'i' | b'h' | b'u' => (4, 4, 0),
            b'x' | b't' | b'd' => (8, 8, 0),
            _ => return Err(Malformed("header field of an unknown type")),
        };
        let start = self.at + before;
        let end = start.saturating_add(len).saturating_add(behind);
        if end > self.end {
            return Err(Malformed("truncated header"));
        }
        self.at = end;
        Ok(Field { code, kind, start, len })
    }

    fn u32(&self, head: &[u8]) -> Result<usize, Malformed> {
        let bytes = head.get(4..).and_then(|rest| rest.first_chunk()).ok_or(Malformed("truncated header"))?;
        usize::try_from(self.order.u32(*bytes)).map_err(|_| Malformed("header too large"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use zbus::{Fd, Message};

    use super::*;

    #[test]
    fn the_values_of_a_real_message_are_where_the_walk_says() {
        let stdin = std::io::stdin();
        let call = Message::method_call("/a/b", "Method").interface("c.d").destination("e.f").sender(":1.7");
        let call = call.build(&(Fd::from(stdin.as_fd()), "x")).unwrap();
        let bytes = call.data().bytes();
        let mut fields = Fields::of(&Header::read(bytes).unwrap().unwrap());
        let mut found = Vec::new();
        while let Some((at, len)) = fields.next_head() {
            // Of a long message no more than this is here.
            let field = fields.step(&bytes[at..at + len]).unwrap();
            found.push((field.code, field.kind, &bytes[field.start..field.start + field.len]));
        }
        found.sort_unstable();
        let expected: [(u8, u8, &[u8]); 7] = [
            (1, b'o', b"/a/b"),
            (2, b's', b"c.d"),
            (3, b's', b"Method"),
            (6, b's', b"e.f"),
            (7, b's', b":1.7"),
            (8, b'g', b"hs"),
            (9, b'u', &[1, 0, 0, 0]),
        ];
        assert_eq!(found, expected);
    }
}
