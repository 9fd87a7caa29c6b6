//! `Versions`: what is kept of a token.

use crate::error::Error;
use crate::policy::Action;
use crate::token::found::Shelf;
use crate::token::request::NamedRequest;
use crate::vault::{Event, Vault};
use crate::{Caller, Timestamp};

/// One version of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Its number, from 1.
    pub version: u64,
    /// Bytes of the value.
    pub size: u64,
    /// When it was put.
    pub created: Timestamp,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Whether `Get` gives this one.
    pub current: bool,
}

impl Vault {
    /// The live versions of a token, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn versions(&self, caller: &Caller, request: &NamedRequest) -> Result<Vec<VersionInfo>, Error> {
        let open = self.open()?;
        let event = Event::new(caller, "Versions").about(request.owner.uid(caller), request.name.as_str());
        let versions = || {
            let principal = self.judged(&open, caller, request.owner, Action::Read)?.ok_or(Error::NotFound)?;
            let shelf = Shelf { open: &open, principal: &principal, now: self.moment() };
            let (row, heads) = self.read(|tx| {
                let row = shelf.find(tx, &request.name)?.row;
                let heads = tx.versions(row.id)?;
                Ok((row, heads))
            })?;
            let mut versions = Vec::with_capacity(heads.len());
            for head in heads.iter().rev() {
                let meta = shelf.records().open_version(head)?;
                if !meta.is_expired(&shelf.now) {
                    versions.push(VersionInfo {
                        version: head.version,
                        size: meta.size,
                        created: meta.created,
                        expires: meta.expires,
                        current: head.version == row.current,
                    });
                }
            }
            Ok(versions)
        };
        versions().inspect_err(|error| self.note_refusal(&event, error))
    }
}
