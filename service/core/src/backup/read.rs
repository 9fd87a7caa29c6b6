//! Reading a backup with a recovery key.

use std::io::Read;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::ITEM_MAX;
use super::carried::{Carried, Opened, vouch, vouching_key};
use super::chunk::ChunkReader;
use super::error::BackupError;
use super::header::{Header, HeaderHash};
use super::item::{End, Item, TABLES_MAX, decode, encode_counts};
use crate::Secret;
use crate::port::{Cell, SecretMemory};

/// Bytes of an item for which there is room before it is known that there are so many.
const STEP: usize = 1 << 20;

/// Takes the rows of a backup. What it has taken counts only once all of it was read.
pub trait RowTaker {
    /// Why it does not take one.
    type Error: From<BackupError>;

    /// The rows of another table come from here on.
    ///
    /// # Errors
    /// Ends the reading.
    fn table(&mut self, name: &str, columns: &[&str]) -> Result<(), Self::Error>;

    /// The next row of that table. It ends in this chunk of the stream.
    ///
    /// # Errors
    /// Ends the reading.
    fn row(&mut self, cells: &[Cell<'_>], chunk: u64) -> Result<(), Self::Error>;
}

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Rows.
    pub rows: u64,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Rows of each table.
    pub counts: Vec<(String, u64)>,
}

/// A backup that is being read.
pub struct BackupReader<R> {
    header: Header,
    hash: HeaderHash,
    chunks: ChunkReader<R>,
    carried: Carried,
    digest: Sha256,
    counts: Vec<(String, u64)>,
    columns: Vec<String>,
}

impl<R: Read> BackupReader<R> {
    /// Reads the header and opens it with a recovery key.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn open(mut from: R, private: &Secret, memory: &dyn SecretMemory) -> Result<Self, BackupError> {
        let (header, hash, offset) = Header::read(&mut from)?;
        let key = header.open(private, memory)?;
        Ok(Self {
            header,
            hash,
            chunks: ChunkReader::new(from, key, hash, offset),
            carried: Carried::default(),
            digest: Sha256::new(),
            counts: Vec::new(),
            columns: Vec::new(),
        })
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Reads everything, to the end and behind it, and makes sure that the vault it is of has written it.
    ///
    /// # Errors
    /// See [`BackupError`], and what `taker` answers.
    pub fn read<T: RowTaker>(
        mut self,
        taker: &mut T,
        private: &Secret,
        memory: &dyn SecretMemory,
    ) -> Result<(Summary, Opened), T::Error> {
        let mut item = Zeroizing::new(Vec::new());
        let end = loop {
            if !self.next(&mut item)? {
                return Err(self.unusable("it has no end").into());
            }
            match decode(&item).map_err(|_| self.unusable("it cannot be read"))? {
                Item::End(end) => break end,
                Item::Table { name, columns } => {
                    self.begin(name, &columns)?;
                    taker.table(name, &columns)?;
                }
                Item::Row(cells) => {
                    self.note(&cells)?;
                    taker.row(&cells, self.chunks.chunk())?;
                }
            }
            self.digest.update((item.len() as u64).to_be_bytes());
            self.digest.update(&*item);
        };
        self.check(&end)?;
        let opened = self.carried.open(private, memory)?;
        self.check_vouched(&end, &opened, memory)?;
        let rows = self.counts.iter().map(|(_, count)| count).sum();
        Ok((Summary { rows, bytes: self.chunks.read_bytes(), counts: self.counts }, opened))
    }

    fn next(&mut self, item: &mut Vec<u8>) -> Result<bool, BackupError> {
        let mut len = [0; 4];
        if !self.chunks.take(&mut len)? {
            return Ok(false);
        }
        let len = u32::from_be_bytes(len) as usize;
        if len > ITEM_MAX {
            return Err(self.unusable("a length makes no sense"));
        }
        item.clear();
        while item.len() < len {
            let from = item.len();
            item.resize(len.min(from + STEP), 0);
            if !self.chunks.take(item.get_mut(from..).unwrap_or_default())? {
                return Err(self.unusable("it ends too soon"));
            }
        }
        Ok(true)
    }

    fn begin(&mut self, name: &str, columns: &[&str]) -> Result<(), BackupError> {
        if self.counts.iter().any(|(table, _)| table == name) {
            return Err(self.unusable("a table comes twice"));
        }
        if self.counts.len() as u64 >= TABLES_MAX {
            return Err(self.unusable("it has more tables than any store"));
        }
        self.counts.push((name.to_owned(), 0));
        self.columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Ok(())
    }

    fn note(&mut self, cells: &[Cell<'_>]) -> Result<(), BackupError> {
        let Some((table, count)) = self.counts.last_mut() else { return Err(self.unusable("a row has no table")) };
        *count += 1;
        if cells.len() == self.columns.len() && self.carried.note(table, &self.columns, cells) {
            return Ok(());
        }
        Err(self.unusable("a row is not one of its table"))
    }

    fn check(&mut self, end: &End) -> Result<(), BackupError> {
        if self.chunks.take(&mut [0])? {
            return Err(self.unusable("something follows its end"));
        }
        if end.counts != self.counts {
            return Err(self.unusable("it has not as many rows as it says"));
        }
        if end.digest != *self.digest.clone().finalize() {
            return Err(self.unusable("its rows are not those it was made with"));
        }
        Ok(())
    }

    fn check_vouched(&self, end: &End, opened: &Opened, memory: &dyn SecretMemory) -> Result<(), BackupError> {
        let key = vouching_key(&opened.keyring, &opened.id, memory)?;
        let counts = encode_counts(&end.counts).map_err(|_| BackupError::NotOfTheVault)?;
        let mac = vouch(&key, &self.hash, &end.digest, &counts);
        if opened.id != self.header.vault_id || !crate::crypto::mac::equal(&mac, &end.mac) {
            return Err(BackupError::NotOfTheVault);
        }
        Ok(())
    }

    fn unusable(&self, what: &str) -> BackupError {
        BackupError::Contents { chunk: self.chunks.chunk(), what: what.to_owned() }
    }
}
