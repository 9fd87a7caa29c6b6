//! The domain over the real store: what a token, a slot and an audit record do, and what happens when somebody changes
//! the store behind the vault's back.
//!
//! Time is a parameter here, and the TPM a sealer that answers as it is told; everything else is what the daemon runs on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(missing_docs, reason = "nobody calls a test program")]

mod fixture;

mod anchor;
mod anchor_recovery;
mod anchor_run;
mod annotate;
mod announcement;
mod attachment;
mod attachment_ends;
mod attachment_shared;
mod attachment_tamper;
mod audit;
mod audit_read;
mod audit_retention;
mod audit_tamper;
mod backup;
mod cleanup;
mod clock;
mod credential;
mod deleted;
mod due;
mod exchange;
mod expiry;
mod faults;
mod fetches;
mod get_hot;
mod hot;
mod isolation;
mod issued;
mod issued_audit;
mod issued_list;
mod issued_tamper;
mod keyring_rotation;
mod list;
mod mode;
mod model;
mod offer;
mod quota;
mod rename;
mod restore;
mod rotation;
mod row_sum;
mod seal;
mod share;
mod share_tamper;
mod sharing;
mod sharing_groups;
mod sharing_now;
mod sharing_owners;
mod sharing_told;
mod slot;
mod slot_rotation;
mod slot_tamper;
mod tamper;
mod tamper_all;
mod tamper_bits;
mod token;
mod users;
mod version;
mod voucher;
