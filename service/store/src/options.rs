//! What can be set about a store.

/// Sizes of a store. The defaults suit a machine with some hundred thousand tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Reader connections: how many reads run at once. At least one is opened.
    pub readers: usize,
    /// Writes that may wait; one more is answered `Busy`. At least one, at most 65,536: room for them is taken at once.
    pub queue: usize,
    /// Size the database may grow to, in bytes; a write beyond it is answered `Limit`. 0: as far as the disk goes.
    pub store_bytes: u64,
    /// Space kept back for deletes and revocations on a full disk, in bytes; 0: none.
    pub reserve_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { readers: 4, queue: 1024, store_bytes: 0, reserve_bytes: 1 << 20 }
    }
}
