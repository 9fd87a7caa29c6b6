//! A backup from anywhere, as it lies there: header, envelopes, and the borders of its chunks.

use std::io::{Cursor, Write as _};

use tokenvault_core::Secret;
use tokenvault_core::backup::{BackupError, BackupReader, Header, RowTaker, outline};
use tokenvault_core::port::{Cancelled, Cell, HeapMemory, Progress};

struct Unwatched;

impl Progress for Unwatched {
    fn report(&self, _done: u64, _total: u64) -> Result<(), Cancelled> {
        Ok(())
    }
}

struct Taker;

impl RowTaker for Taker {
    type Error = BackupError;

    fn table(&mut self, _name: &str, _columns: &[&str]) -> Result<(), BackupError> {
        Ok(())
    }

    fn row(&mut self, _cells: &[Cell<'_>], _chunk: u64) -> Result<(), BackupError> {
        Ok(())
    }
}

/// A stream without a key to it, and with one.
pub fn run(data: &[u8]) {
    let private = Secret::copy_from(&HeapMemory, &[9; 32]).expect("memory");
    let told = |error: &BackupError| assert_eq!(error.to_string().lines().count(), 1, "{error}");
    let _none = Header::of(data).inspect_err(told);
    let _none = outline(data, &Unwatched).inspect_err(told);
    let opened = BackupReader::open(Cursor::new(data), &private, &HeapMemory).inspect_err(told);
    if let Ok(reader) = opened {
        let read = reader.read(&mut Taker, &private, &HeapMemory);
        assert!(read.is_err(), "nobody has made this backup");
    }
    let _sunk = std::io::sink().write(data);
}
