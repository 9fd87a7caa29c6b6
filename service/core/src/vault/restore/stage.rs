//! Taking a backup in, beside the store in use.

use std::io::Read;

use super::RestoreRequest;
use crate::backup::{BackupError, BackupReader, Header, Opened, RowTaker, Summary};
use crate::crypto::mac;
use crate::error::Error;
use crate::port::{Cell, Progress, Replacement, StoreError};
use crate::vault::Vault;

/// How often it is said how far it is, in rows.
const STEP: u64 = 256;

/// All that was read, in a store that nobody uses yet.
pub(super) struct Staged {
    pub(super) replacement: Box<dyn Replacement>,
    pub(super) summary: Summary,
    pub(super) opened: Opened,
    pub(super) header: Header,
}

impl Vault {
    /// Reads all of it into a store of its own.
    pub(super) fn stage(
        &self,
        from: &mut dyn Read,
        request: &RestoreRequest<'_>,
        progress: &dyn Progress,
    ) -> Result<Staged, Error> {
        let reader = BackupReader::open(from, request.private, self.memory())?;
        let header = reader.header().clone();
        let replacement = self.store.begin_replacement(header.schema).map_err(|error| match error {
            StoreError::Newer { found, known } => Error::InvalidArgs(format!(
                "the backup has schema {found}, this release knows up to {known}; use the release that made it or a newer one"
            )),
            other => other.into(),
        })?;
        let mut staging = Staging { replacement, progress, rows: 0 };
        let (summary, opened) = reader.read(&mut staging, request.private, self.memory())?;
        self.check_origin(&opened, request.unvouched)?;
        progress.report(staging.rows, staging.rows)?;
        let mut replacement = staging.replacement;
        replacement.complete().map_err(not_whole)?;
        Ok(Staged { replacement, summary, opened, header })
    }

    /// Refuses what others than the vault could have made.
    fn check_origin(&self, opened: &Opened, unvouched: bool) -> Result<(), Error> {
        if let Ok(open) = self.open()
            && open.id == opened.id
            && !mac::equal(open.keyring.integrity().expose(), opened.keyring.integrity().expose())
        {
            return Err(Error::InvalidArgs(
                "the backup is said to be of the vault in use here, which has other keys: somebody else has made it; use another backup"
                    .into(),
            ));
        }
        if opened.is_vouched || unvouched {
            return Ok(());
        }
        Err(Error::AccessDenied(
            "nobody vouches for the backup: its vault had not been shown this recovery key yet, and whoever knows the public half of it \
             could have made all of this; restore with option 'unvouched' only what was always kept where nobody else can write"
                .into(),
        ))
    }
}

/// What a fault of a store that nobody uses yet means: the one in use is not at fault.
pub(super) fn not_whole(error: StoreError) -> Error {
    match error {
        StoreError::Corrupt(text) => Error::InvalidArgs(format!(
            "what the backup holds cannot be used: {text}; nothing was changed; use another backup"
        )),
        other => other.into(),
    }
}

/// Puts rows into a store that nobody uses yet.
struct Staging<'a> {
    replacement: Box<dyn Replacement>,
    progress: &'a dyn Progress,
    rows: u64,
}

impl RowTaker for Staging<'_> {
    type Error = Error;

    fn table(&mut self, name: &str, columns: &[&str]) -> Result<(), Error> {
        self.replacement.begin_table(name, columns).map_err(not_whole)
    }

    fn row(&mut self, cells: &[Cell<'_>], chunk: u64) -> Result<(), Error> {
        self.rows += 1;
        if self.rows.is_multiple_of(STEP) {
            self.progress.report(self.rows, 0)?;
        }
        self.replacement.insert(cells).map_err(|error| match error {
            StoreError::Corrupt(what) => BackupError::Contents { chunk, what }.into(),
            other => other.into(),
        })
    }
}
