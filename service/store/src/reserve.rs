//! Space kept back, so that deletes and revocations can be written on a full disk.

use std::path::PathBuf;

use crate::directory;

/// A file of allocated, unused space. It is given up when a delete finds no space, and made again as soon as there is room;
/// until then nothing that grows the store is written.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    stands: bool,
}

impl Reserve {
    /// The reserve at `path`; `bytes` 0 means there is none to keep.
    pub(crate) fn new(path: PathBuf, bytes: u64) -> Self {
        let stands = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes);
        Self { path, bytes, stands }
    }

    /// Whether there is a reserve, or is one again now.
    pub(crate) fn restore(&mut self) -> bool {
        if !self.stands && self.bytes > 0 {
            self.stands = directory::create_filled(&self.path, self.bytes).is_ok();
        }
        self.stands || self.bytes == 0
    }

    /// Bytes the database may still have to grow by, so that the reserve is enough for it and for some deletes.
    pub(crate) fn most_pending(&self) -> u64 {
        match self.bytes {
            0 => u64::MAX,
            bytes => bytes / 2,
        }
    }

    /// Whether it was given up and has to be made again.
    pub(crate) fn is_missing(&self) -> bool {
        !self.stands && self.bytes > 0
    }

    /// Gives the space back to the file system; whether there was any.
    pub(crate) fn release(&mut self) -> bool {
        let stood = std::mem::take(&mut self.stands);
        if let Err(error) = directory::remove_if_there(&self.path) {
            log::warn!("the reserve could not be given up: {}", error.0);
            return false;
        }
        stood
    }
}
