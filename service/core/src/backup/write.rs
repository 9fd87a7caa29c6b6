//! Writing a backup.

use std::io::Write;

use sha2::{Digest as _, Sha256};

use super::carried::{travels, vouch};
use super::chunk::ChunkWriter;
use super::error::BackupError;
use super::header::{Header, HeaderHash};
use super::item::{End, encode_counts, encode_end, encode_row, encode_table};
use super::read::Summary;
use crate::Secret;
use crate::crypto::hpke;
use crate::port::{Cell, Progress, RowSink, SecretMemory};

/// How often it is said how far it is, in rows.
const STEP: u64 = 64;

/// Single values that vouch for slots and rows as they stand on one machine.
const LEFT_BEHIND: [&str; 3] = ["slot-mac", "row-sum", "anchor"];

/// For whom a backup is, and who vouches for it.
pub struct BackupKeys<'a> {
    /// Public keys of the recovery slots.
    pub recipients: &'a [[u8; hpke::PUBLIC_KEY_BYTES]],
    /// The key by which the vault vouches for it.
    pub vouching: Secret,
    /// Where secrets lie.
    pub memory: &'a dyn SecretMemory,
}

/// Takes rows and writes them.
pub struct BackupWriter<'w> {
    chunks: ChunkWriter<'w>,
    header: HeaderHash,
    vouching: Secret,
    digest: Sha256,
    counts: Vec<(String, u64)>,
    columns: Vec<String>,
    rows: u64,
    /// How many rows are expected.
    expected: u64,
    progress: &'w dyn Progress,
    failed: Option<BackupError>,
}

impl<'w> BackupWriter<'w> {
    /// Begins one: writes the header.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn begin(
        out: &'w mut dyn Write,
        header: Header,
        keys: BackupKeys<'_>,
        (progress, expected): (&'w dyn Progress, u64),
    ) -> Result<Self, BackupError> {
        let (header, key) = Header::make(header, keys.recipients, keys.memory)?;
        let (hash, written) = header.write(out)?;
        Ok(Self {
            chunks: ChunkWriter::new(out, key, hash, written),
            header: hash,
            vouching: keys.vouching,
            digest: Sha256::new(),
            counts: Vec::new(),
            columns: Vec::new(),
            rows: 0,
            expected,
            progress,
            failed: None,
        })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// See [`BackupError`]; also what went wrong with a row before.
    pub fn finish(mut self) -> Result<Summary, BackupError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let digest = self.digest.clone().finalize().into();
        let counts = encode_counts(&self.counts).map_err(unencodable)?;
        let mac = vouch(&self.vouching, &self.header, &digest, &counts);
        let end = End { counts: std::mem::take(&mut self.counts), digest, mac };
        let bytes = encode_end(&end).map_err(unencodable)?;
        push(&mut self.chunks, &bytes)?;
        let bytes = self.chunks.finish()?;
        Ok(Summary { rows: self.rows, bytes, counts: end.counts })
    }

    fn put_table(&mut self, name: &str, columns: &[&str]) -> Result<(), BackupError> {
        self.counts.push((name.to_owned(), 0));
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        self.put(&encode_table(name, columns).map_err(unencodable)?)
    }

    fn put_row(&mut self, cells: &[Cell<'_>]) -> Result<(), BackupError> {
        if self.stays_behind(cells) {
            return Ok(());
        }
        self.put(&encode_row(cells).map_err(unencodable)?)?;
        if let Some((_, count)) = self.counts.last_mut() {
            *count += 1;
        }
        self.rows += 1;
        if self.rows.is_multiple_of(STEP) {
            let told = self.progress.report(self.rows, self.expected.max(self.rows));
            told.map_err(|_| BackupError::Cancelled)?;
        }
        Ok(())
    }

    /// Whether a row is of no use elsewhere.
    fn stays_behind(&self, cells: &[Cell<'_>]) -> bool {
        let text = |name: &str| {
            let at = self.columns.iter().position(|column| column == name)?;
            cells.get(at).and_then(|cell| if let Cell::Text(text) = cell { Some(*text) } else { None })
        };
        match self.counts.last().map(|(table, _)| table.as_str()) {
            Some("slot") => !text("kind").is_some_and(travels),
            Some("meta") => text("key").is_some_and(|key| LEFT_BEHIND.contains(&key)),
            _ => false,
        }
    }

    fn put(&mut self, item: &[u8]) -> Result<(), BackupError> {
        self.digest.update((item.len() as u64).to_be_bytes());
        self.digest.update(item);
        push(&mut self.chunks, item)
    }

    fn keep(&mut self, done: Result<(), BackupError>) -> bool {
        self.failed = done.err();
        self.failed.is_none()
    }
}

impl RowSink for BackupWriter<'_> {
    fn table(&mut self, name: &str, columns: &[&str]) -> bool {
        let done = self.put_table(name, columns);
        self.keep(done)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> bool {
        let done = self.put_row(cells);
        self.keep(done)
    }
}

fn push(chunks: &mut ChunkWriter<'_>, item: &[u8]) -> Result<(), BackupError> {
    let len = u32::try_from(item.len()).ok().filter(|_| item.len() <= super::ITEM_MAX);
    let len = len.ok_or(BackupError::Crypto(crate::crypto::CryptoError::TooLong))?;
    chunks.push(&len.to_be_bytes())?;
    chunks.push(item)
}

fn unencodable<E>(_: E) -> BackupError {
    BackupError::Crypto(crate::crypto::CryptoError::TooLong)
}
