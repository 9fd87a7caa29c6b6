//! The audit log: written before a value leaves, chained so that nobody without the running vault's key can change, drop or
//! reorder a record unseen.
//!
//! Mutations are recorded in the transaction that makes them. Reads and denials are appended in memory before the answer,
//! folded (a flood of equal ones is one record with a count), and committed by the writer with whatever else is queued. Where
//! reads are to be durable, the first of equal ones is committed before its value leaves.

mod allowance;
mod chain;
mod queue;
mod receipt;
mod record;

pub use chain::{AuditKey, ChainFault, verify};
pub use queue::{AuditQueue, FOLD_DENIALS_USEC, FOLD_READS_USEC, NotNoted};
pub use receipt::Receipt;
pub use record::{AuditRecord, Outcome};
