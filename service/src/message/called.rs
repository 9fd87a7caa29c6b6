//! What a call is to, as far as that says who counts it.

use super::fields::{Fields, INTERFACE, MEMBER, PATH};
use super::header::Header;

/// What the header of a call names; empty what it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Called<'a> {
    /// The object.
    pub path: &'a [u8],
    /// The interface.
    pub interface: &'a [u8],
    /// The method.
    pub member: &'a [u8],
    /// Length of the whole message.
    pub len: usize,
}

impl<'a> Called<'a> {
    /// Reads as much as can be read. What comes twice is taken from its last place, and by zbus not at all.
    pub(crate) fn read(header: &Header, message: &'a [u8]) -> Self {
        let mut called = Self { len: header.len, ..Self::default() };
        let mut fields = Fields::of(header);
        while let Some((at, _)) = fields.next_head() {
            // What cannot be read here zbus may still be able to read.
            let Ok(field) = fields.step(message.get(at..).unwrap_or_default()) else { break };
            let value = message.get(field.start..).and_then(|rest| rest.get(..field.len)).unwrap_or_default();
            match (field.code, field.kind) {
                (PATH, b'o') => called.path = value,
                (INTERFACE, b's') => called.interface = value,
                (MEMBER, b's') => called.member = value,
                _ => {}
            }
        }
        called
    }
}

#[cfg(test)]
mod tests {
    use zbus::Message;

    use super::*;

    #[test]
    fn what_a_real_message_names_is_found_and_nothing_where_it_is_cut_off() {
        let call = Message::method_call("/a/b", "Method").interface("c.d").destination("e.f").build(&"x").unwrap();
        let bytes = call.data().bytes();
        let header = Header::read(bytes).unwrap().unwrap();
        let whole = Called { path: b"/a/b", interface: b"c.d", member: b"Method", len: bytes.len() };
        assert_eq!(Called::read(&header, bytes), whole);
        for len in 0..bytes.len() {
            let called = Called::read(&header, &bytes[..len]);
            for (found, named) in
                [(called.path, whole.path), (called.interface, whole.interface), (called.member, whole.member)]
            {
                assert!(found.is_empty() || found == named);
            }
        }
        let nameless = Message::method_call("/a", "Method").build(&()).unwrap();
        let bytes = nameless.data().bytes();
        assert_eq!(Called::read(&Header::read(bytes).unwrap().unwrap(), bytes).interface, b"");
    }
}
