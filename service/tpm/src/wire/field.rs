//! Fields: fixed-size ones as they are, others behind a 16-bit length.

use tokenvault_core::port::SealedBlob;

use super::{PREFIX, VERSION, WireError};

/// PCRs of a PC Client TPM.
const PCRS: u8 = 24;

/// A message being written into the caller's buffer. Nothing is copied elsewhere, so nothing else needs wiping.
pub struct Message<'a> {
    buffer: &'a mut [u8],
    end: usize,
}

impl<'a> Message<'a> {
    /// Starts a message of `kind`.
    pub fn new(buffer: &'a mut [u8], kind: u8) -> Result<Self, WireError> {
        let mut message = Self { buffer, end: PREFIX };
        message.raw(&[VERSION, kind])?;
        Ok(message)
    }

    /// A field of a size both sides know.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let end = self.end.checked_add(bytes.len()).ok_or(WireError::TooBig)?;
        self.buffer.get_mut(self.end..end).ok_or(WireError::TooBig)?.copy_from_slice(bytes);
        self.end = end;
        Ok(())
    }

    /// A field behind its length.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let len = u16::try_from(bytes.len()).map_err(|_| WireError::TooBig)?;
        self.raw(&len.to_be_bytes())?;
        self.raw(bytes)
    }

    /// A sealed blob.
    pub fn blob(&mut self, blob: &SealedBlob) -> Result<(), WireError> {
        self.bytes(&blob.root_key_name)?;
        self.bytes(&blob.public)?;
        self.bytes(&blob.private)?;
        self.bytes(&blob.policy)?;
        self.pcrs(&blob.pcrs)
    }

    /// PCR numbers.
    pub fn pcrs(&mut self, pcrs: &[u8]) -> Result<(), WireError> {
        self.bytes(valid_pcrs(pcrs)?)
    }

    /// Writes the length in front; how many bytes of the buffer are to be sent.
    pub fn finish(self) -> Result<usize, WireError> {
        let len = u32::try_from(self.end - PREFIX).map_err(|_| WireError::TooBig)?;
        super::body_len(len.to_be_bytes()).map_err(|_| WireError::TooBig)?;
        self.buffer.get_mut(..PREFIX).ok_or(WireError::TooBig)?.copy_from_slice(&len.to_be_bytes());
        Ok(self.end)
    }
}

/// What is left of a message being read.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Checks the version; the kind, and the fields after it.
    pub fn new(body: &'a [u8]) -> Result<(u8, Self), WireError> {
        let mut fields = Self(body);
        match fields.array()? {
            [VERSION] => {}
            [other] => return Err(WireError::Version(*other)),
        }
        let [kind] = *fields.array()?;
        Ok((kind, fields))
    }

    /// A field of a size both sides know.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], WireError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(array)
    }

    /// A field behind its length.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = usize::from(u16::from_be_bytes(*self.array()?));
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A text behind its length.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Field(field))
    }

    /// PCR numbers.
    pub fn pcrs(&mut self) -> Result<&'a [u8], WireError> {
        valid_pcrs(self.bytes()?)
    }

    /// A sealed blob.
    pub fn blob(&mut self) -> Result<SealedBlob, WireError> {
        Ok(SealedBlob {
            root_key_name: self.bytes()?.to_vec(),
            public: self.bytes()?.to_vec(),
            private: self.bytes()?.to_vec(),
            policy: self.bytes()?.to_vec(),
            pcrs: self.pcrs()?.to_vec(),
        })
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }
}

/// Ascending, without doubles, each one that every TPM has.
fn valid_pcrs(pcrs: &[u8]) -> Result<&[u8], WireError> {
    let valid = pcrs.is_sorted_by(|a, b| a < b) && pcrs.iter().all(|pcr| *pcr < PCRS);
    if valid { Ok(pcrs) } else { Err(WireError::Field("pcrs")) }
}
