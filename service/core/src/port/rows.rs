//! Who accounts for the rows of the store.

use super::{ReadTx, StoreError, Tag, WriteTx};

/// Accounts for the rows of the store: each has a tag, and the sum of all tags, modulo 2^256, is written down with every commit. Who
/// writes the file behind the vault's back and removes a row, adds one or puts an older one in its place, leaves a sum that is not
/// that of the rows.
///
/// What the sum does not cover is covered elsewhere: audit records by their chain, chunks by the version that names their content.
/// Counters for quotas and of contents are covered by nothing.
pub trait RowWatch: Send + Sync {
    /// The tag of a row, by a key that the store does not have. Bytes of two rows are never the same. `None` when the key is gone:
    /// the vault was sealed.
    fn tag(&self, row: &[u8]) -> Option<Tag>;

    /// Whether the key is still there.
    fn lives(&self) -> bool;

    /// Writes the sum down, in the transaction that made it so; nothing once the key is gone.
    ///
    /// # Errors
    /// Why the transaction cannot be committed.
    fn keep(&self, tx: &mut dyn WriteTx, sum: &Tag) -> Result<(), StoreError>;

    /// The sum that was written down last; `None` where there was none yet.
    ///
    /// # Errors
    /// `Corrupt` for one that this vault has not written; `Closed` when the key is gone.
    fn recall(&self, tx: &dyn ReadTx) -> Result<Option<Tag>, StoreError>;
}
