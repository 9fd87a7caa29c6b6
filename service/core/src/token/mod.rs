//! Stored tokens: one operation a file.
//!
//! Every operation goes the same way: find, judge, open or seal, audit. What they share about rows stands in
//! `found`, what is encrypted in rows in `metadata`.

pub mod generate;

mod annotate;
mod announce;
mod attachment;
mod cleanup;
mod delete;
mod describe;
mod due;
mod found;
mod get;
mod list;
mod listed;
mod metadata;
mod offer;
mod put;
mod rename;
mod renewal;
mod reply_size;
mod request;
mod rollback;
mod share;
pub(crate) mod usage;
mod version;

pub use attachment::{Attachment, OpenedValue, SealedChunk, Upload};
pub use cleanup::{CleanupReport, CleanupRequest};
pub use due::{Ahead, DuePass, DueRequest, DueToken};
pub use found::{Grant, TokenInfo};
pub use get::Opened;
pub(crate) use list::LOOKED_AT_MAX;
pub use list::{PAGE_BYTES_MAX, Page};
pub(crate) use listed::Listed;
pub use metadata::{Class, Records, TokenMeta, VersionMeta};
pub use offer::{OfferRequest, Offered, OfferedSize, RedeemRequest, Redeemed};
pub use renewal::Renewed;
pub(crate) use renewal::{OldContent, Renewal};
pub use request::{
    Annotation, Expiry, GetRequest, ListRequest, NamedRequest, PutMode, PutOptions, PutRequest, check_keep_versions,
};
pub use share::{
    Asked, Credential, CredentialGrant, CredentialRefusal, CredentialReply, Fetched, Permission, SHARES_MAX, ShareInfo,
    ShareMeta, ShareRequest, Used,
};
pub use version::VersionInfo;
