//! A call as its bytes, taken apart without copying any of them.

use std::num::NonZeroU32;

use serde::Deserialize;
use zbus::Type;
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

use crate::message::fields::{DESTINATION, Fields, INTERFACE, MEMBER, PATH, SENDER, SIGNATURE};
use crate::message::header::{Header, Order, PREFIX};

/// A method call that wants a reply, is written in little-endian order and brought no descriptors.
pub struct Call<'m> {
    /// Its number.
    pub(super) serial: NonZeroU32,
    fields: [Option<&'m str>; SIGNATURE as usize + 1],
    body: Data<'m, 'm>,
}

/// What is called, and with what.
pub struct Target {
    /// Object.
    pub path: &'static str,
    /// Interface.
    pub interface: &'static str,
    /// Method.
    pub member: &'static str,
    /// Signature of its arguments.
    pub signature: &'static str,
}

impl<'m> Call<'m> {
    /// Takes a whole message apart; `None` when it is not such a call, or not one as the specification has it.
    pub(super) fn read(header: &Header, message: &'m [u8]) -> Option<Self> {
        if !header.is_call || header.no_reply || header.order != Order::Little {
            return None;
        }
        let mut fields = [None; SIGNATURE as usize + 1];
        let mut walk = Fields::of(header);
        let mut end = PREFIX;
        while let Some((at, _)) = walk.next_head() {
            // What lies between two fields is nothing.
            if !message.get(end..at)?.iter().all(|byte| *byte == 0) {
                return None;
            }
            let field = walk.step(message.get(at..)?).ok()?;
            let kind = match field.code {
                PATH => b'o',
                INTERFACE | MEMBER | DESTINATION | SENDER => b's',
                SIGNATURE => b'g',
                _ => return None,
            };
            let place = fields.get_mut(usize::from(field.code)).filter(|place| place.is_none())?;
            // A final 0 belongs to each.
            end = field.start + field.len + 1;
            let (last, value) = message.get(field.start..end)?.split_last()?;
            let text = std::str::from_utf8(value).ok().filter(|text| !text.contains('\0'))?;
            *place = Some(text).filter(|_| field.kind == kind && *last == 0);
            (*place)?;
        }
        let body = header.body_start();
        if !message.get(end..body)?.iter().all(|byte| *byte == 0) {
            return None;
        }
        let body = Data::new(message.get(body..)?, Context::new(Endian::Little, 0));
        Some(Self { serial: NonZeroU32::new(header.serial)?, fields, body })
    }

    /// Whether this is what is called.
    pub fn is(&self, target: &Target) -> bool {
        let wanted = [
            (PATH, target.path),
            (INTERFACE, target.interface),
            (MEMBER, target.member),
            (SIGNATURE, target.signature),
        ];
        wanted.into_iter().all(|(code, text)| self.field(code) == Some(text))
    }

    /// The unique name of who calls, on a bus.
    pub fn sender(&self) -> Option<&'m str> {
        self.field(SENDER)
    }

    /// The arguments; `None` when they are something else.
    pub fn arguments<'a, T: Deserialize<'a> + Type>(&'a self) -> Option<T> {
        let (arguments, len) = self.body.deserialize().ok()?;
        (len == self.body.len()).then_some(arguments)
    }

    fn field(&self, code: u8) -> Option<&'m str> {
        self.fields.get(usize::from(code)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::message::Flags;
    use zbus::{Message, OwnedVariant};

    use super::*;

    const TARGET: Target = Target { path: "/a/b", interface: "c.d", member: "Get", signature: "sa{sv}" };

    fn read(bytes: &[u8]) -> Option<Call<'_>> {
        Call::read(&Header::measure(bytes).unwrap().unwrap(), bytes)
    }

    fn build(change: impl FnOnce(zbus::message::Builder<'static>) -> zbus::message::Builder<'static>) -> Vec<u8> {
        let options: HashMap<&str, zbus::Variant<'_>> = HashMap::from([("purpose", "backup".into())]);
        let call = Message::method_call(TARGET.path, TARGET.member).interface(TARGET.interface);
        change(call).build(&("prod/é", options)).unwrap().data().bytes().to_vec()
    }

    #[test]
    fn a_plain_call_is_taken_apart() {
        let bytes = build(|call| call.sender(":1.7").destination("e.f").serial(77.try_into().unwrap()));
        let call = read(&bytes).unwrap();
        assert!(call.is(&TARGET));
        assert_eq!((call.serial.get(), call.sender()), (77, Some(":1.7")));
        let (name, options): (&str, HashMap<String, OwnedVariant>) = call.arguments().unwrap();
        assert_eq!(name, "prod/é");
        assert_eq!(options["purpose"], OwnedVariant::from(zbus::Str::from("backup")));
        assert!(call.arguments::<&str>().is_none(), "there is more than that");
        assert!(call.arguments::<(u32, u32)>().is_none());
    }

    #[test]
    fn what_is_called_is_compared_as_a_whole() {
        let bytes = build(|call| call);
        let call = read(&bytes).unwrap();
        for other in [
            Target { path: "/a", ..TARGET },
            Target { interface: "c", ..TARGET },
            Target { member: "GetAll", ..TARGET },
            Target { signature: "s", ..TARGET },
        ] {
            assert!(!call.is(&other));
        }
    }

    #[test]
    fn what_is_no_plain_call_is_left_to_others() {
        assert!(read(&build(|call| call)).is_some());
        assert!(read(&build(|call| call.endian(Endian::Big))).is_none());
        assert!(read(&build(|call| call.with_flags(Flags::NO_REPLY_EXPECTED))).is_none());
        assert!(read(&build(|call| call.reply_serial(Some(NonZeroU32::MIN)))).is_none(), "no field of a call");
        let (pipe, _) = std::io::pipe().unwrap();
        let carries = Message::method_call("/a/b", "Get").build(&zbus::Fd::from(&pipe)).unwrap();
        assert!(read(carries.data().bytes()).is_none());
        let signal = Message::signal("/a/b", "c.d", "Get").build(&()).unwrap();
        assert!(read(signal.data().bytes()).is_none());
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_of_a_call_is_survived() {
        let bytes = build(|call| call.sender(":1.7"));
        let look = |message: &[u8]| {
            let Ok(Some(header)) = Header::measure(message) else { return };
            if let Some(call) = Call::read(&header, message) {
                let _ = (call.is(&TARGET), call.sender(), call.arguments::<(&str, HashMap<String, OwnedVariant>)>());
            }
        };
        for len in 0..bytes.len() {
            look(&bytes[..len]);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 2, 9, b'B', b'a', b'g', b's', b'v', 0x7F, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                look(&damaged);
            }
        }
    }

    #[test]
    fn a_field_that_comes_twice_is_left_to_others() {
        let mut bytes = build(|call| call.sender(":1.7").destination(":1.7"));
        let header = Header::measure(&bytes).unwrap().unwrap();
        let mut walk = Fields::of(&header);
        let destination = std::iter::from_fn(|| walk.next_head().map(|(at, _)| (at, walk.step(&bytes[at..]).unwrap())))
            .find(|(_, field)| field.code == DESTINATION)
            .unwrap();
        bytes[destination.0] = SENDER;
        assert!(read(&bytes).is_none());
    }
}
