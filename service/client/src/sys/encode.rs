//! What is sent, as bytes: no more than may be sent, and none that there is no memory for.

use std::io::{Cursor, Error, ErrorKind, Result, Seek, SeekFrom, Write};

use serde::Serialize;
use tokenvault_proto::memory::{self, NoMemory};
use zbus::DynamicType;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{NATIVE_ENDIAN, to_writer_for_signature};

/// Encodes a body. It begins at a multiple of 8 in its message, so it is encoded as if it stood alone.
///
/// # Errors
/// It cannot be encoded, `ExcessData` when it has more than `most` bytes, or there is no memory for it.
pub(crate) fn encode<B>(body: &B, most: usize) -> std::result::Result<Data<'static, 'static>, zbus::Error>
where
    B: Serialize + DynamicType,
{
    let context = Context::new(NATIVE_ENDIAN, 0);
    let mut writer = Bounded { bytes: Cursor::new(Vec::new()), most };
    // SAFETY: the descriptors that were written are kept with the bytes that name them.
    let written = unsafe { to_writer_for_signature(&mut writer, context, body.signature(), body) };
    let written = written.map_err(|error| match error {
        zbus::Error::InputOutput(error) if error.kind() == ErrorKind::OutOfMemory => NoMemory.of(),
        zbus::Error::InputOutput(error) if error.kind() == ErrorKind::FileTooLarge => zbus::Error::ExcessData,
        error => error,
    })?;
    Ok(Data::new_fds(writer.bytes.into_inner(), context, written.into_fds()))
}

struct Bounded {
    bytes: Cursor<Vec<u8>>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let begin = usize::try_from(self.bytes.position()).unwrap_or(usize::MAX);
        let end = begin.saturating_add(bytes.len());
        if end > self.most {
            return Err(Error::from(ErrorKind::FileTooLarge));
        }
        let missing = end.saturating_sub(self.bytes.get_ref().len());
        memory::more(self.bytes.get_mut(), missing).map_err(|NoMemory| Error::from(ErrorKind::OutOfMemory))?;
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// For the length of an array, which stands before it and is known behind it.
impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zbus::Fd;

    use super::*;

    #[test]
    fn it_is_what_zbus_writes() {
        let pipe = std::io::pipe().unwrap();
        let map = BTreeMap::from([("key", vec!["one", "père"]), ("", vec![])]);
        let body = ("name", Fd::from(&pipe.0), map, 7_u64);
        let ours = encode(&body, 1024).unwrap();
        let theirs = zbus::wire::to_bytes(Context::new(NATIVE_ENDIAN, 0), &body).unwrap();
        assert_eq!((ours.bytes(), ours.fds().len()), (theirs.bytes(), 1));
        assert_eq!(ours.bytes().len(), encode(&body, ours.bytes().len()).unwrap().bytes().len());
        assert!(matches!(encode(&body, ours.bytes().len() - 1), Err(zbus::Error::ExcessData)));
    }

    #[test]
    fn what_cannot_be_encoded_is_told_apart_from_what_is_too_long() {
        let error = encode(&crate::text::Text("\0"), 1024).unwrap_err();
        assert!(error.to_string().contains(tokenvault_proto::ZERO_BYTE), "{error}");
    }
}
