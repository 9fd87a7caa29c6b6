//! Calls as bytes (D-Bus specification, "Message Format").
//!
//! zbus can build them too, for any header at all; one that is made of constants and numbers takes a tenth of the time.

use std::num::NonZeroU32;

use serde::Serialize;
use tokenvault_proto::OBJECT_PATH;
use tokenvault_proto::memory::{self, NoMemory};
use zbus::DynamicType;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{NATIVE_ENDIAN, serialized_size};

use crate::method::Method;
use crate::sys;

/// Flag of a message's header.
const ALLOW_INTERACTIVE_AUTHORIZATION: u8 = 4;
/// The longest call that is sent. The daemon hangs up on longer ones, which would read like a fault of its own.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Bytes that nearly every head fits into.
const USUAL_BYTES: usize = 192;

/// Who is called, and by which number.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) path: &'static str,
    pub(crate) interface: &'static str,
    pub(crate) member: &'static str,
    /// A name on a bus.
    pub(crate) destination: Option<&'static str>,
    pub(crate) serial: NonZeroU32,
    /// Whether somebody may be asked to permit it.
    pub(crate) interactive: bool,
}

/// A call that is ready to be sent.
pub(crate) struct Call {
    pub(crate) bytes: Vec<u8>,
    pub(crate) serial: NonZeroU32,
    /// What the call carries beside its bytes; closed when this goes.
    pub(crate) body: Data<'static, 'static>,
}

impl Head {
    /// That of a call of the vault.
    pub(crate) const fn new(method: &Method, destination: Option<&'static str>, serial: NonZeroU32) -> Self {
        let Method { interface, member, interactive, .. } = *method;
        Self { path: OBJECT_PATH, interface, member, destination, serial, interactive }
    }

    /// The whole call.
    ///
    /// # Errors
    /// The body cannot be encoded, `ExcessData` when it is too long to be sent, or there is no memory for it.
    pub(crate) fn call<B: Serialize + DynamicType>(&self, body: &B) -> Result<Call, zbus::Error> {
        let text = body.signature().to_string_no_parens();
        let body = sys::encode(body, MESSAGE_BYTES_MAX)?;
        let mut bytes = Writer(Vec::new());
        memory::exactly(&mut bytes.0, USUAL_BYTES + body.bytes().len()).map_err(NoMemory::of::<zbus::Error>)?;
        self.write(&mut bytes, &text, (len(body.bytes())?, len(body.fds())?))?;
        // The head was longer than most.
        memory::exactly(&mut bytes.0, body.bytes().len()).map_err(NoMemory::of::<zbus::Error>)?;
        bytes.0.extend_from_slice(body.bytes());
        if bytes.0.len() > MESSAGE_BYTES_MAX {
            return Err(zbus::Error::ExcessData);
        }
        Ok(Call { bytes: bytes.0, serial: self.serial, body })
    }

    /// How long the whole call would be.
    ///
    /// # Errors
    /// As [`Head::call`].
    pub(crate) fn measure<B: Serialize + DynamicType>(&self, body: &B) -> Result<usize, zbus::Error> {
        let size = serialized_size(Context::new(NATIVE_ENDIAN, 0), body)?;
        let mut bytes = Writer(Vec::new());
        let text = body.signature().to_string_no_parens();
        self.write(&mut bytes, &text, (u32::try_from(size.size()).unwrap_or(u32::MAX), size.num_fds()))?;
        Ok(bytes.0.len() + size.size())
    }

    /// Everything before the body, which has so many bytes and descriptors.
    fn write(&self, bytes: &mut Writer, signature: &str, (len, fds): (u32, u32)) -> Result<(), zbus::Error> {
        let order = if cfg!(target_endian = "big") { b'B' } else { b'l' };
        // A method call that wants a reply, of version 1.
        let flags = if self.interactive { ALLOW_INTERACTIVE_AUTHORIZATION } else { 0 };
        bytes.0.extend_from_slice(&[order, 1, flags, 1]);
        bytes.number(len);
        bytes.number(self.serial.get());
        bytes.number(0);
        let start = bytes.0.len();
        bytes.text(1, b'o', self.path)?;
        bytes.text(2, b's', self.interface)?;
        bytes.text(3, b's', self.member)?;
        if let Some(name) = self.destination {
            bytes.text(6, b's', name)?;
        }
        if !signature.is_empty() {
            bytes.signature(signature)?;
        }
        if fds > 0 {
            bytes.field(9, b'u');
            bytes.number(fds);
        }
        bytes.end_fields(start)
    }
}

fn len<T>(items: &[T]) -> Result<u32, zbus::Error> {
    u32::try_from(items.len()).map_err(|_| zbus::Error::ExcessData)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
    }

    /// The code of a field and the signature of its value, which has one letter.
    fn field(&mut self, code: u8, kind: u8) {
        self.align();
        self.0.extend_from_slice(&[code, 1, kind, 0]);
    }

    fn text(&mut self, code: u8, kind: u8, text: &str) -> Result<(), zbus::Error> {
        self.field(code, kind);
        self.number(len(text.as_bytes())?);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        Ok(())
    }

    fn signature(&mut self, text: &str) -> Result<(), zbus::Error> {
        self.field(8, b'g');
        self.0.push(u8::try_from(text.len()).map_err(|_| zbus::Error::ExcessData)?);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        Ok(())
    }

    /// Notes how long the fields are, and pads to where the body begins.
    fn end_fields(&mut self, start: usize) -> Result<(), zbus::Error> {
        let fields = len(self.0.get(start..).unwrap_or_default())?;
        if let Some(place) = self.0.get_mut(..start).and_then(<[u8]>::last_chunk_mut) {
            *place = fields.to_ne_bytes();
        }
        self.align();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokenvault_proto::{BUS_NAME, GetOptions, TOKENS_INTERFACE};
    use zbus::message::Type;
    use zbus::{Fd, Message};

    use super::*;
    use crate::method;

    fn head(destination: Option<&'static str>, serial: u32) -> Head {
        Head::new(&method::GET, destination, NonZeroU32::new(serial).unwrap())
    }

    /// The call as zbus reads it, which checks all of it.
    fn read(call: &Call) -> Message {
        let fds = call.body.fds().iter().map(|fd| std::os::fd::AsFd::as_fd(fd).try_clone_to_owned().unwrap()).collect();
        sys::parse(call.bytes.clone(), fds).unwrap()
    }

    #[test]
    fn what_is_written_is_what_zbus_reads() {
        let options = GetOptions { owner: Some("machine".into()), ..GetOptions::default() };
        for destination in [None, Some(BUS_NAME)] {
            for name in ["", "a", "prod/api-key", &"x".repeat(1000)] {
                let message = read(&head(destination, 7).call(&(name, &options)).unwrap());
                let header = message.header();
                assert_eq!(message.message_type(), Type::MethodCall);
                assert_eq!(message.primary_header().serial_num().get(), 7);
                assert!(message.primary_header().flags().is_empty());
                assert_eq!(header.path().unwrap().as_str(), OBJECT_PATH);
                assert_eq!(header.interface().unwrap().as_str(), TOKENS_INTERFACE);
                assert_eq!(header.member().unwrap().as_str(), "Get");
                assert_eq!(header.destination().map(|name| name.as_str()), destination);
                assert_eq!(message.body().signature(), "sa{sv}");
                let reference = Message::method_call("/a", "B").build(&(name, &options)).unwrap();
                assert_eq!(message.body().data().bytes(), reference.body().data().bytes());
            }
        }
    }

    #[test]
    fn descriptors_are_counted_and_nothing_has_no_signature() {
        let stdin = std::io::stdin();
        let message = read(&head(None, 1).call(&("a", Fd::from(&stdin), Fd::from(&stdin))).unwrap());
        assert_eq!(message.header().unix_fds(), Some(2));
        assert_eq!(message.body().signature(), "shh");
        let message = read(&head(None, 1).call(&()).unwrap());
        assert_eq!((message.body().signature().to_string_no_parens().as_str(), message.body().len()), ("", 0));
        assert_eq!(message.header().unix_fds(), None);
    }
}
