//! The audit log: written before a value leaves, chained so that nobody without the running vault's key can change, drop or
//! reorder a record unseen.
//!
//! Mutations are recorded in the transaction that makes them. Reads and denials are appended in memory before the answer,
//! folded (a flood of equal ones is one record with a count), and committed by the writer with whatever else is queued. Where
//! reads are to be durable, the first of equal ones is committed before its value leaves.
//!
//! The log is read page by page, verified in short steps, and kept as small as the settings say.

mod allowance;
mod chain;
mod fetches;
mod filter;
mod list;
mod queue;
mod receipt;
mod record;
mod retention;
mod verify;

pub(crate) use chain::AuditTerm;
pub use chain::{AuditKey, LET_GO_MAX};
pub use fetches::{FetchesPage, FetchesRequest};
pub use filter::AuditFilter;
pub use list::{AuditEntry, AuditPage, AuditRequest, SCANNED_MAX};
pub use queue::{AuditQueue, FOLD_DENIALS_USEC, FOLD_READS_USEC, NotNoted};
pub use receipt::Receipt;
pub use record::{AuditRecord, Outcome};
pub use verify::{ChainFault, Mark, Whole};
