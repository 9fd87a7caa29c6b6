//! What tokens take of their principal's quota.
//!
//! Everything that is stored for them counts: values as they are padded, sealed metadata and keys in steps of [`STEP`], and a
//! step for each attribute and each share, which are found by an index. Of a small token most is metadata, and metadata can be larger than
//! the value. In steps, because a version that displaces one like it must not count more for a longer number in it.

use crate::error::Error;
use crate::port::{IssuedRow, ShareRow, TokenRow, VersionHead, WriteTx};
use crate::principal::Principal;
use crate::token::metadata::TokenMeta;
use crate::vault::Vault;

const STEP: u64 = 64;

/// Bytes of a token beside its versions.
pub(crate) fn of_token(row: &TokenRow, meta: &TokenMeta) -> u64 {
    in_steps(row.meta.len()) + STEP * meta.attributes.len() as u64
}

/// Bytes of a version.
pub(crate) fn of_version(head: &VersionHead) -> u64 {
    head.stored_bytes + in_steps(head.meta.len() + head.dek.len())
}

/// Bytes of a share, which is found by an index.
pub(crate) fn of_share(row: &ShareRow) -> u64 {
    in_steps(row.meta.len()) + STEP
}

/// Bytes of what was issued: its record, and a step each for what it is found by and compared with.
pub(crate) fn of_issued(row: &IssuedRow) -> u64 {
    in_steps(row.meta.len()) + 2 * STEP
}

const fn in_steps(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(STEP)
}

/// What a request changes of the counters of a principal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change {
    /// Tokens that came, or went.
    pub tokens: i64,
    /// The same of issued tokens, codes and offers.
    pub issued: i64,
    /// Bytes that were written.
    pub added: u64,
    /// Bytes that were taken away.
    pub freed: u64,
}

impl Change {
    /// Counts it.
    pub fn count(self, tx: &mut dyn WriteTx, principal: &Principal) -> Result<(), Error> {
        if self.issued != 0 {
            tx.add_issued(principal.id, self.issued)?;
        }
        Ok(tx.add_usage(principal.id, self.tokens, signed(self.added)? - signed(self.freed)?)?)
    }

    /// Counts it, and refuses what adds more than it takes away and ends over the quota.
    pub fn count_within_quota(self, tx: &mut dyn WriteTx, vault: &Vault, principal: &Principal) -> Result<(), Error> {
        self.count(tx, principal)?;
        let row = tx
            .principal_by_id(principal.id)?
            .ok_or_else(|| Error::Internal(format!("principal {} is gone", principal.id)))?;
        let settings = vault.settings();
        let tokens = principal.quota_tokens.unwrap_or(settings.tokens);
        let bytes = principal.quota_bytes.unwrap_or(settings.bytes);
        if self.tokens > 0 && tokens > 0 && row.tokens > tokens {
            return Err(over(principal, "tokens", tokens));
        }
        if self.issued > 0 && settings.issued > 0 && row.issued > settings.issued {
            return Err(Error::LimitsExceeded {
                limit: "issued",
                retry: format!(
                    "you may have {} issued tokens; revoke some, or wait until they expire",
                    settings.issued
                ),
            });
        }
        if self.added > self.freed && bytes > 0 && row.bytes > bytes {
            return Err(over(principal, "bytes", bytes));
        }
        Ok(())
    }
}

fn over(principal: &Principal, limit: &'static str, value: u64) -> Error {
    Error::LimitsExceeded {
        limit,
        retry: format!(
            "your quota is {value}; delete tokens or versions, or have an administrator raise it with 'tokenvaultctl user set \
             {} --quota-{limit}', or everybody's in the configuration",
            principal.uid
        ),
    }
}

fn signed(bytes: u64) -> Result<i64, Error> {
    i64::try_from(bytes).map_err(|_| Error::Internal("a size is over 63 bits".into()))
}
