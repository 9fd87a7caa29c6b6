//! Who accounts for rows as the vault does, with a key that everybody has, and writes the sum down as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokenvault_core::Secret;
use tokenvault_core::crypto::mac;
use tokenvault_core::port::{HeapMemory, MetaKey, ReadTx, RowWatch, StoreError, Tag, WriteTx};
use tokenvault_store::SqliteStore;

use super::{read, write};

#[derive(Default)]
pub struct Plain {
    /// As if the vault had been sealed.
    pub closed: AtomicBool,
}

impl RowWatch for Plain {
    fn tag(&self, row: &[u8]) -> Option<Tag> {
        let key = Secret::copy_from(&HeapMemory, b"everybody's").expect("memory");
        (!self.closed.load(Ordering::Relaxed)).then(|| mac::compute(&key, &[row]))
    }

    fn lives(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    fn keep(&self, tx: &mut dyn WriteTx, sum: &Tag) -> Result<(), StoreError> {
        tx.set_meta(MetaKey::RowSum, sum)
    }

    fn recall(&self, tx: &dyn ReadTx) -> Result<Option<Tag>, StoreError> {
        Ok(tx.meta(MetaKey::RowSum)?.map(|sum| sum.try_into().expect("a sum")))
    }
}

/// Has a store account for its rows from here on.
pub fn watch(store: &SqliteStore) -> Arc<Plain> {
    let plain = Arc::new(Plain::default());
    let watch = Arc::clone(&plain);
    let watched = write(store, move |tx| {
        let sum = match watch.recall(tx)? {
            Some(sum) => sum,
            None => tx.sum_rows(&*watch, &mut |_| true)?.expect("nobody stops it"),
        };
        tx.watch_rows(Arc::<Plain>::clone(&watch), sum)
    });
    watched.expect("the rows are accounted for");
    plain
}

/// The sum that was written down is that of the rows.
#[track_caller]
pub fn assert_whole(store: &SqliteStore) {
    let (kept, summed) =
        read(store, |tx| Ok((tx.meta(MetaKey::RowSum)?, tx.sum_rows(&Plain::default(), &mut |_| true)?)));
    assert_eq!(kept.as_deref(), summed.as_ref().map(|sum| &sum[..]));
}
