//! What the domain needs of the world, as traits named by their role.
//!
//! A port says what is needed, never how it is done: no SQL, no TPM command, no clock source appears here.

mod clock;
mod counter;
mod deleted;
mod dump;
mod memory;
mod progress;
mod rows;
mod sealer;
mod store;
mod table;

pub use clock::{Clock, ManualClock};
pub use counter::{Counted, Counter, CounterPlace, CounterStep};
pub use deleted::{DeletionNote, DeletionNotes};
pub use dump::{Cell, Replacement, RowSink, Taken};
pub use memory::{HeapMemory, SecretBuffer, SecretMemory, SecretMemoryExhausted};
pub use progress::{Cancelled, Progress};
pub use rows::RowWatch;
pub use sealer::{SealError, SealedBlob, Sealer, TpmStatus};
pub use store::{BATCH_BOUNDS, JobFailure, ReadTx, Store, StoreCounters, StoreError, StoreStatus, WriteJob, WriteTx};
pub use table::{
    AttributeTag, AuditRow, Ending, IssuedRow, KeyringRow, MetaKey, NewShare, NewToken, PrincipalRow, ShareRow,
    SlotRow, Tag, TokenRow, Totals, VersionHead, VersionRow,
};
